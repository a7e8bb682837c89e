import { createParser, type EventSourceMessage } from "eventsource-parser"
import { FanfareError } from "./errors.js"

export interface StreamOptions {
	/** The id of the last event that was seen: what came after it is sent. */
	lastEventId?: string
	/** Ends the iteration, with the signal's reason as its error. */
	signal?: AbortSignal
	/** Told before each new attempt, after the connection was lost or refused for a while. */
	onReconnect?: (attempt: number, reason: unknown) => void
}

/** An event of a stream: `data` is told apart by its `type`. */
export interface StreamEvent<T> {
	/** To go on from, as lastEventId; "" while no event had one. */
	lastEventId: string
	data: T
}

interface Connection {
	fetch: typeof globalThis.fetch
	url: string
	headers: Record<string, string>
	credentials: RequestCredentials
}

const longestWait = 30_000
/** The server sends a comment every 15 seconds: a connection that is silent for longer is dead. */
const longestSilence = 40_000

/**
 * Follows a stream as an EventSource does, with headers: it connects again with Last-Event-ID,
 * waits longer after each failure, and ends at a 204. A refusal that no later attempt would
 * change is thrown.
 */
export async function* follow<T extends { type: string }>(
	to: Connection,
	options: StreamOptions,
	isLast: (data: T) => boolean,
): AsyncGenerator<StreamEvent<T>, void, undefined> {
	const state: State = { lastEventId: options.lastEventId ?? "", retry: 3000, failures: 0 }
	for (;;) {
		options.signal?.throwIfAborted()
		let reason: unknown
		try {
			for await (const data of connectOnce<T>(to, options.signal, state)) {
				yield { lastEventId: state.lastEventId, data }
				if (isLast(data)) return
			}
			if (state.over) return
		} catch (error) {
			options.signal?.throwIfAborted()
			if (error instanceof FanfareError && !isTemporary(error.status)) throw error
			reason = error
		}
		state.failures++
		await sleep(waitBefore(state, reason), options.signal)
		options.onReconnect?.(state.failures, reason)
	}
}

interface State {
	lastEventId: string
	retry: number
	failures: number
	over?: boolean
}

async function* connectOnce<T>(to: Connection, signal: AbortSignal | undefined, state: State): AsyncGenerator<T, void, undefined> {
	const connection = new AbortController()
	const abort = () => connection.abort(signal?.reason)
	signal?.addEventListener("abort", abort, { once: true })
	let watchdog = setTimeout(() => connection.abort(new Error("the stream fell silent")), longestSilence)
	try {
		const response = await to.fetch(to.url, {
			headers: { ...to.headers, Accept: "text/event-stream", ...(state.lastEventId && { "Last-Event-ID": state.lastEventId }) },
			credentials: to.credentials, cache: "no-store", signal: connection.signal,
		})
		if (response.status === 204) {
			state.over = true
			return
		}
		if (!response.ok || !response.body) throw await FanfareError.from(response)
		const messages: EventSourceMessage[] = []
		const parser = createParser({
			onEvent: (message) => messages.push(message),
			onRetry: (retry) => { state.retry = retry },
		})
		const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
		for (;;) {
			const { value, done } = await reader.read()
			if (done) return
			clearTimeout(watchdog)
			watchdog = setTimeout(() => connection.abort(new Error("the stream fell silent")), longestSilence)
			parser.feed(value)
			for (const message of messages.splice(0)) {
				if (message.id !== undefined) state.lastEventId = message.id
				state.failures = 0
				yield JSON.parse(message.data) as T
			}
		}
	} finally {
		clearTimeout(watchdog)
		signal?.removeEventListener("abort", abort)
		connection.abort() // whoever leaves the loop early leaves no connection open
	}
}

function isTemporary(status: number): boolean {
	return status === 429 || status >= 500
}

/** What the server asks for, else twice as long after each failure; never the same for all clients. */
function waitBefore(state: State, reason: unknown): number {
	const asked = reason instanceof FanfareError ? reason.retryAfter : undefined
	if (asked !== undefined) return asked * 1000
	const backoff = Math.min(state.retry * 2 ** (state.failures - 1), longestWait)
	return backoff * (0.5 + Math.random() / 2)
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		const stop = () => { clearTimeout(timer); reject(signal?.reason) }
		const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve() }, ms)
		signal?.addEventListener("abort", stop, { once: true })
	})
}
