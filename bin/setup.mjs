// Makes a fresh Debian machine ready: Debian packages, npm packages, the bindings to card readers and to
// tokens built for this Node. Plain Node without any package, since it runs before there are any. Does
// nothing, fast, when nothing is missing.
//
//   node bin/setup.mjs [--only npm] [--quiet] [--then FILE ARGS…]
//   node bin/setup.mjs --plan [DPKG_STATUS_FILE]     says what it would install, installs nothing

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const stampFile = join(root, 'node_modules/.citizen-card/setup.json')
const dpkgStatusFile = '/var/lib/dpkg/status'
const oldestNode = [20, 12]

const noBinding = 'the card reader binding is not built'
const noToken = 'master keys in a token (an HSM) are not tested'

/** What is compiled here: these packages bring no binaries along. All need a compiler and python3. */
const bindings = [
  {
    name: 'pcsclite', file: 'build/Release/pcsclite.node', needs: ['include/PCSC/winscard.h'],
    what: 'the card reader binding', from: 'g++, make, python3 and libpcsclite-dev',
    without: 'Everything but card readers works.'
  },
  {
    name: 'pkcs11js', file: 'build/Release/pkcs11.node', needs: [],
    what: 'the token binding', from: 'g++, make and python3',
    without: 'Everything but master keys in a token works.'
  }
]

/** `without`: what a person does not get while the package is missing. */
const debianPackages = [
  { name: 'g++', without: noBinding },
  { name: 'make', without: noBinding },
  { name: 'python3', without: noBinding },
  { name: 'libpcsclite-dev', without: noBinding },
  { name: 'libpcsclite1', without: 'no card readers' },
  { name: 'pcscd', without: 'no card readers' },
  { name: 'vsmartcard-vpcd', without: 'no virtual card readers' },
  { name: 'iproute2', without: 'virtual card readers cannot be closed in: their driver listens everywhere' },
  { name: 'util-linux', without: 'card readers cannot be kept apart from those of the system' },
  { name: 'openssl', without: 'no client certificates are made' },
  { name: 'pcsc-tools', without: 'no program of others speaks to our cards in the tests', onlyFor: 'test' },
  { name: 'opensc', without: 'no program of others speaks to our cards in the tests', onlyFor: 'test' },
  { name: 'socat', without: 'serial lines are not tested', onlyFor: 'test' },
  { name: 'redis-server', without: 'job tests on Redis are skipped', onlyFor: 'test' },
  { name: 'postgresql', without: 'backups by its own tools are not tested', onlyFor: 'test' },
  { name: 'chromium', without: 'nobody looks at the console in a browser', onlyFor: 'test' },
  { name: 'hledger', without: 'nobody else balances our journals in the tests', onlyFor: 'test' },
  { name: 'softhsm2', without: noToken, onlyFor: 'test' },
  { name: 'p11-kit', without: noToken, onlyFor: 'test' },
  { name: 'p11-kit-modules', without: noToken, onlyFor: 'test' }
]

function main () {
  const options = readArguments(process.argv.slice(2))
  checkNode()
  if (options.plan !== undefined) return printPlan(options)
  if (!options.onlyNpm) setUpDebian(options)
  setUpNpm(options)
  if (options.then !== undefined) runThen(options.then)
}

function readArguments (args) {
  const options = { onlyNpm: false, quiet: false, plan: undefined, then: undefined, purpose: 'run' }
  while (args.length > 0) {
    const flag = args.shift()
    if (flag === '--quiet') options.quiet = true
    else if (flag === '--only' && args[0] === 'npm') options.onlyNpm = args.shift() === 'npm'
    else if (flag === '--plan') options.plan = isValue(args[0]) ? args.shift() : dpkgStatusFile
    else if (flag === '--then' && args.length > 0) options.then = args.splice(0)
    else fail(`unknown argument ${flag}; known: --only npm, --quiet, --plan [FILE], --then FILE ARGS…`)
  }
  if (options.then?.[0] === 'bin/test.ts') options.purpose = 'test'
  return options
}

function isValue (argument) {
  return argument !== undefined && !argument.startsWith('--')
}

function checkNode () {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return
  fail(`Node ${process.versions.node} is too old: ${oldestNode.join('.')} or newer is needed`)
}

// ---------------------------------------------------------------- Debian

function setUpDebian (options) {
  const missing = missingDebianPackages(dpkgStatusFile, options.purpose)
  if (missing.length === 0) return
  const names = missing.map(({ name }) => name).join(' ')
  const command = `apt-get install --no-install-recommends ${names}`
  if (!existsSync('/usr/bin/apt-get')) {
    return say(options, `no apt-get; look for the counterparts of: ${names}\n${consequences(missing)}`)
  }
  const prefix = rootPrefix()
  if (prefix === null) {
    return warn('Debian packages are missing, and neither root nor sudo without a password is at hand. ' +
      `Ask for\n  ${command}\n${consequences(missing)}`)
  }
  say(options, `installing Debian packages: ${names} (about a minute)`)
  const done = run([...prefix, 'sh', '-c', aptScript, 'sh', ...missing.map(({ name }) => name)], {})
  const still = missingDebianPackages(dpkgStatusFile, options.purpose)
  if (still.length === 0) return
  warn(`apt-get did not install everything:\n${lastLines(done.output, 15)}\n` +
    `  By hand: ${command}\n${consequences(still)}`)
}

/**
 * One shell for root or sudo. Services must not start: a redis-server on the well-known port or a system
 * pcscd is nobody's wish here. Debian asks policy-rc.d for that; 101 means no.
 */
const aptScript = `
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
fi
apt-get -o DPkg::Lock::Timeout=120 update
apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
`

/** Straight from dpkg's own table: two milliseconds instead of starting dpkg-query. */
function missingDebianPackages (statusFile, purpose) {
  const status = existsSync(statusFile) ? '\n' + readFileSync(statusFile, 'utf8') : ''
  const wanted = debianPackages.filter(({ onlyFor }) => onlyFor === undefined || onlyFor === purpose)
  if (headersComeFromDebian()) wanted.push({ name: 'libnode-dev', without: noBinding })
  return wanted.filter(({ name }) => !isInstalled(status, name))
}

function isInstalled (status, name) {
  // A package of two architectures has two entries.
  const start = `\nPackage: ${name}\n`
  for (let from = status.indexOf(start); from >= 0; from = status.indexOf(start, from + 1)) {
    const end = status.indexOf('\n\n', from)
    if (/\nStatus: \S+ ok installed\n/.test(status.slice(from, end < 0 ? undefined : end + 1))) return true
  }
  return false
}

/** Debian's own Node is a shared library with its headers in a package apart. */
function headersComeFromDebian () {
  return process.config.variables.node_shared === true && headersPrefix() === undefined
}

/** Empty for root, sudo when it asks no password, null otherwise. */
function rootPrefix () {
  if (process.getuid() === 0) return []
  return run(['sudo', '-n', 'true'], {}).status === 0 ? ['sudo', '-n'] : null
}

function consequences (missing) {
  const names = new Map()
  for (const { name, without } of missing) names.set(without, [...names.get(without) ?? [], name])
  return [...names].map(([without, list]) => `  without ${list.join(', ')}: ${without}`).join('\n')
}

// ---------------------------------------------------------------- npm

function setUpNpm (options) {
  const stamp = readJson(stampFile) ?? {}
  if (stamp.key === stampKey() && existsSync(join(root, 'node_modules/tsx/package.json'))) return
  if (!treeIsComplete()) installTree(options)
  runInstallScripts()
  for (const binding of bindings) buildBinding(binding, options)
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, JSON.stringify({ key: stampKey() }) + '\n')
}

/** Changes when anything changes that the outcome depends on, so a failed build is tried again only then. */
function stampKey () {
  const hash = createHash('sha256')
  hash.update(readIfThere(join(root, 'package-lock.json')))
  hash.update([
    process.versions.modules, process.arch, headersPrefix(),
    ...bindings.flatMap(binding => [canBuild(binding), existsSync(fileOf(binding))])
  ].join(' '))
  return hash.digest('hex')
}

/** Somebody may have run npm ci before us: npm's note of what it installed says so. */
function treeIsComplete () {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages
  const there = readJson(join(root, 'node_modules/.package-lock.json'))?.packages
  if (wanted === undefined || there === undefined) return false
  return Object.entries(wanted).every(([path, { version, optional, link }]) =>
    path === '' || link === true || there[path]?.version === version ||
    // npm leaves out an optional package of another machine, and drops one whose build failed.
    (optional === true && there[path] === undefined && !isBinding(path.replace('node_modules/', ''))))
}

function isBinding (name) {
  return bindings.some(binding => binding.name === name)
}

/**
 * Without install scripts: those of the packages named in package.json run afterwards, one by one. A build
 * that fails then leaves its package in place, and a package that is not named runs nothing.
 */
function installTree (options) {
  const fresh = !existsSync(join(root, 'node_modules')) && existsSync(join(root, 'package-lock.json'))
  say(options, `installing npm packages (${fresh ? 'about half a minute' : 'a few seconds'})`)
  const done = npm([fresh ? 'ci' : 'install', '--ignore-scripts', '--no-audit', '--no-fund'])
  if (done.status !== 0) fail(`npm could not install the packages:\n${lastLines(done.output, 30)}`)
}

function runInstallScripts () {
  const named = Object.keys(readJson(join(root, 'package.json')).allowScripts ?? {})
    .filter(name => !isBinding(name) && existsSync(join(root, 'node_modules', name)))
  if (named.length === 0) return
  const done = npm(['rebuild', ...named])
  if (done.status !== 0) warn(`install scripts failed (${named.join(', ')}):\n${lastLines(done.output, 15)}`)
}

function fileOf ({ name, file }) {
  return join(root, 'node_modules', name, file)
}

/**
 * Loading it is the proof: a binding left by another Node, or without its library, fails here and not in a
 * gateway.
 */
function loads (binding) {
  if (!existsSync(fileOf(binding))) return false
  return run([process.execPath, '-e', 'require(process.argv[1])', fileOf(binding)], {}).status === 0
}

function canBuild ({ needs }) {
  return ['bin/g++', 'bin/make', 'bin/python3', ...needs].every(file => existsSync(join('/usr', file)))
}

function buildBinding (binding, options) {
  const { name, what, from, without } = binding
  if (loads(binding)) return
  if (!canBuild(binding)) return warn(`${what} (${name}) is not built: it needs ${from}. ${without}`)
  say(options, `building ${what} (about ten seconds)`)
  const done = npm(['rebuild', name])
  if (done.status !== 0 || !loads(binding)) {
    warn(`${what} (${name}) could not be built. ${without}\n${lastLines(done.output, 15)}`)
  }
}

function npm (args) {
  const prefix = headersPrefix()
  const nodedir = prefix === undefined ? {} : { npm_config_nodedir: prefix }
  return run(['npm', ...args], { npm_config_update_notifier: 'false', ...nodedir })
}

/** Where the headers of the running Node lie, so that node-gyp need not fetch them. */
function headersPrefix () {
  const beside = dirname(dirname(realpathSync(process.execPath)))
  return [beside, process.config.variables.node_prefix, '/usr', '/usr/local'].find(prefix => {
    const header = readIfThere(join(prefix, 'include/node/node_version.h'))
    const number = part => RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(header)?.[1]
    return ['MAJOR', 'MINOR', 'PATCH'].map(number).join('.') === process.versions.node
  })
}

// ---------------------------------------------------------------- afterwards

/** In the same terminal: input, output, signals and exit code are those of the program. */
function runThen ([file, ...args]) {
  if (!existsSync(join(root, file))) fail(`there is no ${file}`)
  const nodeArgs = [join(root, 'runtime/start.mjs'), join(root, file), ...args]
  const child = spawn(process.execPath, nodeArgs, { cwd: root, stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child by itself; a second one would be taken for impatience.
  process.on('SIGINT', () => { if (!process.stdin.isTTY) child.kill('SIGINT') })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => fail(`cannot start ${file}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function printPlan (options) {
  const missing = missingDebianPackages(options.plan, options.purpose).map(({ name }) => name)
  console.log(JSON.stringify({
    node: process.versions.node,
    debian: options.onlyNpm ? [] : missing,
    npm: treeIsComplete() ? 'complete' : 'to install',
    headers: headersPrefix() ?? null,
    ...Object.fromEntries(bindings.map(binding => [
      binding.name, loads(binding) ? 'built' : canBuild(binding) ? 'to build' : 'cannot be built yet']))
  }, null, 2))
}

function run ([command, ...args], env) {
  const done = spawnSync(command, args, {
    cwd: root, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024
  })
  return { status: done.status, output: done.error?.message ?? `${done.stdout}${done.stderr}` }
}

function readIfThere (file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function readJson (file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

function lastLines (text, count) {
  return text.trimEnd().split('\n').slice(-count).map(line => `  ${line}`).join('\n')
}

function say (options, text) {
  if (!options.quiet) console.error(`setup: ${text}`)
}

function warn (text) {
  console.error(`setup: ${text}`)
}

function fail (text) {
  console.error(`setup: ${text}`)
  process.exit(1)
}

main()
