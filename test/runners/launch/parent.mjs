// Launches a server as fusecheck does, says when it is ready, and then does what its third argument says.
const [, , library, spec, then] = process.argv;
const { launchServer } = await import(library);
const server = await launchServer(JSON.parse(spec), {
  logFile: process.argv[5],
  ask: { env: {} },
  onProgress: ({ phase }) => phase === "starting" && process.stdout.write("starting\n"),
});
process.stdout.write("ready\n");
// "forget": nothing more is done, and nothing keeps this process from ending.
if (then === "exit") process.exit(3);
if (then === "throw") throw new Error("a defect");
if (then === "wait") setInterval(() => {}, 1000);
void server;
