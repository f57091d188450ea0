// The scenario of the page beside it, in a browser: sends the report to the server that the page came from.

const send = (report) => fetch("/report", { method: "POST", body: JSON.stringify(report) });

try {
  const { runScenario } = await import(new URL("scenario.js", location.href));
  await send(await runScenario());
} catch (error) {
  await send({ failed: `${error?.name}: ${error?.message}\n${error?.stack}`, code: error?.code });
}
