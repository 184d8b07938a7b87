/** On its own: most commands end before what they have started, and need none of it. */
export { reapHelpers } from "../native/helper.ts";
