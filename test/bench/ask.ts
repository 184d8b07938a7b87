/** ask.ts NAME COUNT: asks 127.0.0.11 for an address of the name as often, a few questions at a time, and prints how many were answered. */
import { question, readAnswer } from "../support/dns-message.ts";

const atOnce = 32;

const [name, count] = [process.argv[2]!, Number(process.argv[3])];
const message = question(name, "A");
let [asked, answered] = [0, 0];
const { promise, resolve } = Promise.withResolvers<void>();
const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.11", port: 53 },
  socket: {
    data(_, answer) {
      if (answered === 0 && readAnswer(answer).answers.length !== 1) throw new Error("that is no answer");
      answered++;
      if (answered === count) resolve();
      else ask();
    },
  },
});

function ask(): void {
  if (asked === count) return;
  asked++;
  socket.send(message);
}

for (let each = 0; each < atOnce; each++) ask();
await promise;
socket.close();
console.log(answered);
