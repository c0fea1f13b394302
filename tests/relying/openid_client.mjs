// A relying party made of openid-client, which nobody here wrote, and a second look at the tokens by jose, which knows the
// key set and nothing else. Arguments: the folder with node_modules, the issuer, the client's id and secret, a port.
import http from 'node:http'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [folder, issuer, id, secret, port] = process.argv.slice(2)

function load(name) {
  const place = `${folder}/node_modules/${name}`
  const { main } = JSON.parse(readFileSync(`${place}/package.json`, 'utf8'))
  return import(pathToFileURL(`${place}/${main}`))
}

const [client, jose] = [await load('openid-client'), await load('jose')]
const own = `http://127.0.0.1:${port}`
const insecure = { execute: [client.allowInsecureRequests] }
const provider = await client.discovery(new URL(issuer), id, secret, undefined, insecure)
const waiting = {}
let tokens

async function begin() {
  waiting.verifier = client.randomPKCECodeVerifier()
  waiting.state = client.randomState()
  waiting.nonce = client.randomNonce()
  return client.buildAuthorizationUrl(provider, {
    redirect_uri: `${own}/cb`,
    scope: 'openid profile school offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(waiting.verifier),
    code_challenge_method: 'S256',
    state: waiting.state,
    nonce: waiting.nonce,
  })
}

async function finish(url) {
  tokens = await client.authorizationCodeGrant(provider, url, {
    pkceCodeVerifier: waiting.verifier,
    expectedState: waiting.state,
    expectedNonce: waiting.nonce,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  const user = await client.fetchUserInfo(provider, tokens.access_token, claims.sub)
  const keys = jose.createRemoteJWKSet(new URL(provider.serverMetadata().jwks_uri))
  const proved = await jose.jwtVerify(tokens.id_token, keys, { issuer, audience: id })
  const told = await client.tokenIntrospection(provider, tokens.access_token)
  const refreshed = await client.refreshTokenGrant(provider, tokens.refresh_token)
  const again = await client.fetchUserInfo(provider, refreshed.access_token, claims.sub)
  const rotated = refreshed.refresh_token !== tokens.refresh_token
  tokens = { ...tokens, refresh_token: refreshed.refresh_token }
  return { user, same: again.sub === user.sub, alg: proved.protectedHeader.alg, active: told.active, rotated }
}

async function leave() {
  await client.tokenRevocation(provider, tokens.refresh_token)
  const after = await client.refreshTokenGrant(provider, tokens.refresh_token).catch((e) => e.error)
  return { signed_out: true, after }
}

const page = (answer, value) => {
  answer.setHeader('content-type', 'text/html; charset=utf-8')
  answer.end(`<pre id="result">${JSON.stringify(value).replace(/[<&]/g, (c) => `&#${c.charCodeAt(0)};`)}</pre>`)
}

http.createServer(async (request, answer) => {
  const url = new URL(request.url, own)
  try {
    if (url.pathname === '/') answer.writeHead(302, { location: (await begin()).href }).end()
    else if (url.pathname === '/cb') page(answer, await finish(url))
    else if (url.pathname === '/logout') {
      const wish = { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${own}/bye`, state: 's' }
      answer.writeHead(302, { location: client.buildEndSessionUrl(provider, wish).href }).end()
    } else if (url.pathname === '/bye') page(answer, await leave())
    else answer.writeHead(404).end()
  } catch (e) {
    page(answer, { failed: `${e} ${e.cause ? JSON.stringify(e.cause) : ''} ${e.error_description ?? ''}` })
  }
}).listen(Number(port), '127.0.0.1', () => console.log(`listening on ${own}`))
