import type { components } from "./schema.js"

type ErrorBody = components["schemas"]["ErrorBody"]

/** What a request was refused with. */
export type ErrorCode = ErrorBody["code"]

/**
 * A refusal by the API. `message` is a sentence for a person, `code` is for programs;
 * quote `requestId` when asking for help.
 */
export class FanfareError extends Error {
	override readonly name = "FanfareError"
	readonly status: number
	/** undefined where something between answered, such as a proxy */
	readonly code: ErrorCode | undefined
	readonly requestId: string | undefined
	/** Seconds until it is worth trying again, where that is known. */
	readonly retryAfter: number | undefined
	readonly details: ErrorBody["details"]

	constructor(response: Response, body: Partial<ErrorBody> | undefined) {
		super(body?.error ?? `The server answered ${response.status} ${response.statusText}`.trim())
		this.status = response.status
		this.code = body?.code
		this.requestId = body?.requestId ?? response.headers.get("X-Request-Id") ?? undefined
		this.retryAfter = seconds(response.headers.get("Retry-After"))
		this.details = body?.details
	}

	/** Reads a refusal's body, whatever it is. */
	static async from(response: Response): Promise<FanfareError> {
		const body: unknown = await response.json().catch(() => undefined)
		return new FanfareError(response, isObject(body) ? body : undefined)
	}
}

function isObject(value: unknown): value is Partial<ErrorBody> {
	return typeof value === "object" && value !== null
}

function seconds(header: string | null): number | undefined {
	const n = Number(header ?? NaN)
	return Number.isFinite(n) ? n : undefined
}
