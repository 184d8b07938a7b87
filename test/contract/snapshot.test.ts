import { driverNames } from "./bench.ts";
import { snapshotContract } from "./snapshot.ts";

for (const name of driverNames) snapshotContract(name);
