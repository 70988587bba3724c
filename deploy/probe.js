// Asks a worker on this machine for one of its probes: `node deploy/probe.js healthz|readyz [port]`. Exit code 0: yes; 1: no.
const [, , probe = 'healthz', port = '9464'] = process.argv;
const said = await fetch(`http://127.0.0.1:${port}/${probe}`, { signal: AbortSignal.timeout(4_000) })
  .then(async (answer) => ({ ok: answer.ok, text: await answer.text() }))
  .catch((error) => ({ ok: false, text: String(error.cause ?? error) }));
process.stdout.write(`${said.text.trim()}\n`);
process.exitCode = said.ok ? 0 : 1;
