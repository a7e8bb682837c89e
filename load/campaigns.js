// Loads a running API as frontends do: accounts submit briefs, and each browser
// then polls its job at the pace that it was told, or streams it to its end.
// `make load` runs this; docs/load.md says what the API needs for it.
//
//   BASE_URL   where the API is (http://127.0.0.1:8080)
//   KEY        an API key to use; without one, USERS accounts are made
//   USERS      how many (4), since limits are per account
//   RATE       campaigns a minute, half of them polled, half streamed (60)
//   DURATION   for how long (1m)

import http from "k6/http";
import { check, fail, sleep } from "k6";
import exec from "k6/execution";
import { Trend } from "k6/metrics";

const base = __ENV.BASE_URL || "http://127.0.0.1:8080";
const rate = Number(__ENV.RATE || 60);
const password = "Quiet-harbour-77";

const jobTime = new Trend("job_time", true); // from the submit to the client's knowing of the end

export const options = {
  scenarios: { poll: arrivals("poll"), stream: arrivals("stream") },
  thresholds: {
    checks: ["rate>0.99"],
    http_req_failed: ["rate<0.01"],
    "http_req_duration{name:submit}": ["p(95)<500"],
    "http_req_duration{name:poll}": ["p(95)<300"],
    "http_req_waiting{name:stream}": ["p(95)<500"], // to the stream's first byte
    job_time: ["p(95)<20000"],
    dropped_iterations: ["count<1"], // the arrivals that found no free client
  },
};

// arrivals: clients come at their pace, however slow the API gets. There are
// enough of them for campaigns that take twenty seconds.
function arrivals(name) {
  return {
    executor: "constant-arrival-rate", exec: name, rate: Math.ceil(rate / 2), timeUnit: "1m",
    duration: __ENV.DURATION || "1m", gracefulStop: "60s", preAllocatedVUs: Math.ceil(rate / 6), maxVUs: 1000,
  };
}

export function setup() {
  if (__ENV.KEY) {
    return [__ENV.KEY];
  }
  return Array.from({ length: Number(__ENV.USERS || 4) }, (_, i) => account(i));
}

// account registers, signs in and makes an API key.
function account(i) {
  const jar = new http.CookieJar();
  const call = (path, body) => {
    const answer = http.post(base + path, JSON.stringify(body), { jar, headers: { "Content-Type": "application/json" }, tags: { name: path } });
    if (answer.status >= 300) {
      fail(`${path}: ${answer.status} ${answer.body}`);
    }
    return answer;
  };
  const email = `load-${Date.now()}-${i}@example.com`;
  call("/api/auth/register", { name: "Load", email, password });
  call("/api/auth/login", { email, password });
  return call("/api/keys", { name: "load" }).json("key");
}

export function poll(keys) {
  const began = Date.now();
  const submitted = submit(keys);
  let job = submitted.json("job");
  let pause = submitted.headers["Retry-After"];
  let etag = "";
  while (!job.done) {
    sleep(Number(pause || 1));
    const headers = { ...auth(keys), ...(etag && { "If-None-Match": etag }) };
    const answer = http.get(base + job.urls.self, { headers, tags: { name: "poll" } });
    if (!check(answer, { "the job is told": (r) => r.status === 200 || r.status === 304 })) {
      return;
    }
    if (answer.status === 200) {
      job = answer.json();
      etag = answer.headers["Etag"];
    }
    pause = answer.headers["Retry-After"];
  }
  jobTime.add(Date.now() - began);
  check(job, { "the job has succeeded": (j) => j.status === "succeeded" && j.result.campaign.content.email.subject.length > 0 });
}

// A job's stream closes after its final event, so a plain GET reads it whole.
export function stream(keys) {
  const began = Date.now();
  const job = submit(keys).json("job");
  const answer = http.get(base + job.urls.events, { headers: auth(keys), tags: { name: "stream" }, timeout: "60s" });
  jobTime.add(Date.now() - began);
  check(answer, {
    "the stream begins with a snapshot": (r) => r.status === 200 && r.body.includes("event: job.snapshot"),
    "the stream ends with success": (r) => r.status === 200 && r.body.includes("event: job.succeeded"),
  });
}

function submit(keys) {
  const n = exec.scenario.iterationInTest;
  const headers = {
    ...auth(keys), "Content-Type": "application/json",
    "Idempotency-Key": `${exec.scenario.name}-${exec.scenario.startTime}-${n}`,
  };
  const brief = { prompt: `Announce sale number ${n} to all customers: 20% off until Sunday` };
  const answer = http.post(`${base}/api/campaign`, JSON.stringify(brief), { headers, tags: { name: "submit" } });
  if (!check(answer, { "the brief is accepted": (r) => r.status === 202 })) {
    fail(`submit: ${answer.status} ${answer.body}`);
  }
  return answer;
}

function auth(keys) {
  return { Authorization: `Bearer ${keys[exec.vu.idInTest % keys.length]}` };
}
