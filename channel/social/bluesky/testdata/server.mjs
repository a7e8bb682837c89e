// A server of the protocol with one account, until standard input ends. It is
// run in a folder where @atproto/dev-env is installed.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.cwd() + '/')
const { TestNetworkNoAppView } = await import(pathToFileURL(require.resolve('@atproto/dev-env')))
const network = await TestNetworkNoAppView.create()
const agent = network.pds.getAgent()
await agent.createAccount({ email: 'shop@example.com', handle: 'shop.test', password: 'account-password' })
const { data } = await agent.api.com.atproto.server.createAppPassword({ name: 'fanfare' })
console.log(JSON.stringify({ url: network.pds.url, appPassword: data.password }))
process.stdin.resume()
process.stdin.on('end', () => process.exit())
