/**
 * Submits a brief, shows the words as the model writes them, loses its connection on purpose,
 * goes on where it was, and prints the content.
 *
 *     FANFARE_URL=http://127.0.0.1:8080 FANFARE_API_KEY=… npm run example -- "Announce our spring sale"
 *
 * Without a key it registers a new account first, and makes one.
 */
import { createClient, type Fanfare, type JobEvent, type Results } from "../src/index.js"

const { process } = globalThis as unknown as { process: NodeProcess }
interface NodeProcess {
	env: Record<string, string | undefined>
	argv: string[]
	stdout: { write(text: string): void }
}

const baseUrl = process.env["FANFARE_URL"] ?? "http://127.0.0.1:8080"
const fanfare = createClient({ baseUrl, apiKey: process.env["FANFARE_API_KEY"] ?? (await newKey(baseUrl)) })
const brief = process.argv[2] ?? "Announce our spring sale to customers in Berlin by e-mail and SMS"

// The same key with the same body gets the same answer, so a request whose answer was lost can be repeated.
const key = crypto.randomUUID()
const submit = () => fanfare.POST("/api/campaign", {
	params: { header: { "Idempotency-Key": key } },
	body: { prompt: brief },
})
const { data: accepted } = await submit()
const { data: again } = await submit()
if (!accepted || !("job" in accepted) || !again || !("job" in again)) throw new Error("the brief was not accepted")
console.log(`job ${accepted.job.id}${again.job.id === accepted.job.id ? ", and the same when asked again" : ": asked again, another!"}`)

const sequences: number[] = []
let last = await watch(fanfare, accepted.job.id, "", true) // leaves after the second event
console.log(`\n-- the connection is lost after event ${last} --`)
last = await watch(fanfare, accepted.job.id, last, false)

const { data: job } = await fanfare.GET("/api/jobs/{id}", { params: { path: { id: accepted.job.id } } })
if (job?.status !== "succeeded") throw new Error(job?.error?.message ?? "the job did not succeed")
const { campaign } = job.result as Results["campaign.generate"]
console.log("\n" + JSON.stringify(campaign.content, null, 2))
console.log(`events ${JSON.stringify(sequences)}`)

/** Watches a job and returns the id to go on from. */
async function watch(client: Fanfare, id: string, lastEventId: string, leave: boolean): Promise<string> {
	for await (const event of client.followJob(id, { lastEventId })) {
		lastEventId = event.lastEventId
		show(event.data)
		if (leave && sequences.length === 2) break
	}
	return lastEventId
}

function show(event: JobEvent): void {
	switch (event.type) {
		case "job.snapshot":
			console.log(`${event.job.status}: ${event.job.progress.step}`)
			break
		case "job.delta":
			process.stdout.write(event.text)
			break
		default:
			sequences.push(event.sequence)
			console.log(`\n${event.sequence} ${event.type}: ${event.job.progress.step}`)
	}
}

async function newKey(url: string): Promise<string> {
	const nobody = createClient({ baseUrl: url })
	const account = { email: `${crypto.randomUUID()}@example.com`, password: `Quiet-harbour-${crypto.randomUUID().slice(0, 8)}` }
	await nobody.POST("/api/auth/register", { body: { name: "Example", ...account } })
	const { response } = await nobody.POST("/api/auth/login", { body: account })
	const cookie = (response.headers.get("Set-Cookie") ?? "").split(";")[0] ?? ""
	const { data } = await nobody.POST("/api/keys", { body: { name: "example" }, headers: { Cookie: cookie } })
	if (!data?.key) throw new Error("there is no key in the answer")
	return data.key
}
