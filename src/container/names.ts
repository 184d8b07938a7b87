const adjectives = `
amber ample apt balmy bold brave breezy bright brisk calm candid cheery civil clear clever cosy crisp curious deft
eager early easy fair fleet fond frank fresh gentle glad golden grand happy hardy honest humble jolly keen kind lively
loyal lucid lucky mellow merry mild modest neat nimble noble patient placid plucky polite prime proud quick quiet ready
rosy serene sharp silent silver sincere sleek smart snug spry steady stout sturdy sunny swift tidy trusty upbeat vivid
warm wise witty zesty`
  .trim()
  .split(/\s+/);

/** People whose work computing, engineering and the sciences stand on. */
const surnames = `
abel aho allen ampere babbage backus banach bernoulli bohr bolzano boole borg brouwer cantor carson cauchy cerf church
codd conway curie curry dahl darwin dijkstra dirac engelbart erdos euclid euler faraday fermat feynman floyd fourier
galois gauss germain goedel goldberg gosper gray hamilton hamming hawking hertz hilbert hoare hollerith hopper huffman
hypatia jacobi johnson kalman karp kepler kernighan kilby kleene knuth kovalevskaya lamarr lamport landau laplace
leibniz liskov lovelace markov maxwell mccarthy meitner mendel milner minsky moore naur neumann newton noether nygaard
pascal pasteur peano perlis planck poincare ramanujan riemann ritchie scott shannon shockley sutherland tarjan thompson
torvalds turing volta wiener wilkes wirth zuse`
  .trim()
  .split(/\s+/);

/** "quiet_lovelace". After a few unlucky draws the caller asks with `attempt` > 0 and gets a digit too, as Docker does. */
export function generateName(attempt = 0, random: () => number = Math.random): string {
  const draw = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? words[0]!;
  const name = `${draw(adjectives)}_${draw(surnames)}`;
  return attempt > 0 ? name + Math.floor(random() * 10 ** Math.min(attempt, 6)) : name;
}
