/** Types the steps at an engine, and keeps what it answers. */
import { until } from "../../support/wait.ts";
import { type Answer, answerOf } from "./answer.ts";
import { steps } from "./steps.ts";

export type Type = (words: string) => Promise<{ stdout: string; stderr: string; code: number }>;

/** By the words of each step; of those that are typed twice the later ones have a number. */
export async function follow(type: Type, image: string): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (const step of steps) {
    const words = step.words.replaceAll("{image}", image);
    const answer = answerOf(await type(words), step);
    let name = step.words;
    for (let again = 2; answers.has(name); again++) name = `${step.words} (${again})`;
    answers.set(name, answer);
    if (step.until) await until(step.until, async () => (await type(step.until!)).code === 0);
  }
  return answers;
}
