// The page around the client: what a browser adds to a relative fetch, and
// what its user does. Prints what came of each step.
const browser = globalThis.fetch;
let authorization = process.env.AUTHORIZATION;
globalThis.fetch = (path, init = {}) =>
  browser(new URL(path, process.env.BASE_URL), { ...init, headers: { ...init.headers, Authorization: authorization } });

const { integrationClient: client } = await import(process.argv[2]);

const names = async (type) => (await client.listIntegrations(type)).map((i) => `${i.name} ${i.status}`);
const fails = (promise) => promise.then(() => "no error", (error) => error.message);
const smtp = { name: "SMTP", type: "email", credentials: { host: "mail.example", password: "right" } };

const steps = { before: await names() };
const added = await client.addIntegration(smtp);
steps.added = [added.name, added.type, added.status, added.credentialFields];
steps.addedTwice = await fails(client.addIntegration(smtp));
const slack = await client.addIntegration({ name: "Slack", type: "social", credentials: { webhookUrl: "wrong" } });
steps.rightWorks = await client.testConnection(added.id);
steps.wrongDoesNot = await client.testConnection(slack.id);
steps.unknownDoesNot = await client.testConnection("01a204f5-ed6d-77fe-bfbc-ed33a961c0ee");
steps.malformedDoesNot = await client.testConnection("1");
steps.noTextDoesNot = await client.testConnection(5);
steps.all = await names();
steps.email = await names("email");
steps.ppc = await names("ppc");
steps.deleted = (await client.deleteIntegration(added.id)) === undefined;
await client.deleteIntegration(added.id);
steps.left = await names();
authorization = "Bearer nobody's";
steps.nobodyMayList = await fails(client.listIntegrations());
steps.nobodyMayTest = await client.testConnection(slack.id);
console.log(JSON.stringify(steps));
