/**
 * A client of Fanfare's HTTP API. Requests are typed by the API's OpenAPI document
 * (openapi-fetch); streams are followed, and resumed, by this package.
 */
import createFetchClient, { type Client, type Middleware } from "openapi-fetch"
import { FanfareError } from "./errors.js"
import type { components, paths } from "./schema.js"
import { follow, type StreamEvent, type StreamOptions } from "./stream.js"

export { FanfareError, type ErrorCode } from "./errors.js"
export type { components, operations, paths } from "./schema.js"
export type { StreamEvent, StreamOptions } from "./stream.js"

type Schemas = components["schemas"]

export type Job = Schemas["Job"]
export type Campaign = Schemas["Campaign"]
/** An event of a job's stream. */
export type JobEvent = Schemas["StreamedSnapshot"] | Schemas["StreamedEvent"] | Schemas["StreamedDelta"]
/** An event of the stream of all jobs. */
export type JobsEvent = Schemas["StreamedJobs"] | Schemas["StreamedEvent"]

/** What jobs of each kind end with: `job.result as Results[typeof kind]`. */
export interface Results {
	"campaign.generate": Schemas["Generated"]
	"campaign.launch": Schemas["Launched"]
	"analytics.analyze": Schemas["Analysis"]
	"analytics.optimize": Schemas["Optimizations"]
}

export interface ClientOptions {
	/** Such as https://fanfare.example.com; in a browser "" is the page's own. */
	baseUrl: string
	/** Without one, a browser's session cookie says who asks. */
	apiKey?: string
	fetch?: typeof globalThis.fetch
}

export interface Fanfare extends Client<paths> {
	/** Follows a job until it is over. */
	followJob(id: string, options?: StreamOptions): AsyncGenerator<StreamEvent<JobEvent>, void, undefined>
	/** Follows all jobs until the signal says to stop. */
	followJobs(options?: StreamOptions): AsyncGenerator<StreamEvent<JobsEvent>, void, undefined>
}

/**
 * Makes a client. Its GET, POST, … throw a FanfareError for every refusal, so `data` is there
 * whenever they return, except for a 204 and a 304.
 */
export function createClient(options: ClientOptions): Fanfare {
	const headers: Record<string, string> = options.apiKey ? { Authorization: `Bearer ${options.apiKey}` } : {}
	const credentials: RequestCredentials = options.apiKey ? "omit" : "include"
	const fetch = options.fetch ?? ((...request: Parameters<typeof globalThis.fetch>) => globalThis.fetch(...request))
	const baseUrl = options.baseUrl.replace(/\/+$/, "")
	const client = createFetchClient<paths>({ baseUrl, headers, credentials, fetch })
	client.use(throwing)
	const stream = (path: string) => ({ fetch, url: baseUrl + path, headers, credentials })
	return Object.assign(client, {
		followJob: (id: string, o: StreamOptions = {}) =>
			follow<JobEvent>(stream(`/api/jobs/${encodeURIComponent(id)}/events`), o, (event) => event.type in final),
		followJobs: (o: StreamOptions = {}) => follow<JobsEvent>(stream("/api/events"), o, () => false),
	})
}

const final = { "job.succeeded": 0, "job.failed": 0, "job.canceled": 0, "job.expired": 0 }

const throwing: Middleware = {
	async onResponse({ response }) {
		if (!response.ok && response.status !== 304) throw await FanfareError.from(response)
	},
}
