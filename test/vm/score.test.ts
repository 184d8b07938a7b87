/** Scores for when memory is short, which not every host lets root hand out: the second kernel does. */
import { guestSuite } from "./suite.ts";

guestSuite("scores", ["test/vm/guest/score.ts"], { tests: 2 });
