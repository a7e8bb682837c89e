// A server of the protocol with one account, until standard input ends. It is
// run in a folder where @atproto/dev-env is installed.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.cwd() + '/')
const { TestNetworkNoAppView } = await import(pathToFileURL(require.resolve('@atproto/dev-env')))
const network = await TestNetworkNoAppView.create()

async function call(method, body, token) {
  const response = await fetch(`${network.pds.url}/xrpc/${method}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${method}: ${await response.text()}`)
  return response.json()
}

const account = { email: 'shop@example.com', handle: 'teashop.test', password: 'account-password' }
const { accessJwt } = await call('com.atproto.server.createAccount', account)
const { password } = await call('com.atproto.server.createAppPassword', { name: 'fanfare' }, accessJwt)
console.log(JSON.stringify({ url: network.pds.url, appPassword: password }))
process.stdin.resume()
process.stdin.on('end', () => process.exit())
