// A supervisor without an engine: starts and ends the declared processes again and again, beside a control that routes.
//
// It is the same supervisor over the same declarations as the engine's own, so that router and relay see the same spawns.
import { loadConfig } from "../../src/config/load.js";
import { createLogger } from "../../src/log.js";
import { Supervisor } from "../../src/supervisor/supervisor.js";

const [file = "config.yaml"] = process.argv.slice(2);
const settings = { level: "silent", format: "json" } as const;
const supervisor = Supervisor.fork({ log: createLogger(settings), settings });
await supervisor.start({ config: loadConfig(file), url: "ws://127.0.0.1:1" });
process.stdout.write(`${JSON.stringify({ port: 0 })}\n`);
