// Which reasons the code of each route can refuse for: what is reached from its handler, name by name,
// through everything of the ledger. Reads code as the compiler does, runs none of it. What stands behind a
// dot (`ledger.sealer.head()`) is not followed.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const house = join(root, 'ledger')

export type RouteInCode = {
  /** `GET /v1/cards/:card`; what a template fills in stands as `*`. */
  readonly name: string
  readonly reasons: ReadonlySet<string>
}

/** All routes of `ledger/http`. */
export function routesInCode (): RouteInCode[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), path => ts.sys.readFile(path))
  const { options } =
    ts.parseJsonConfigFileContent({ ...config as object, files: [], include: [] }, ts.sys, root)
  const program = ts.createProgram([join(house, 'http/routes.ts')], { ...options, noEmit: true })
  const walk = newWalk(program.getTypeChecker())
  return program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(house, 'http')))
    .flatMap(file => callsIn(file).flatMap(call => routeOf(call, walk) ?? []))
}

function callsIn (node: ts.Node): ts.CallExpression[] {
  const calls: ts.CallExpression[] = []
  const visit = (one: ts.Node): void => {
    if (ts.isCallExpression(one)) calls.push(one)
    ts.forEachChild(one, visit)
  }
  visit(node)
  return calls
}

const methods: ReadonlySet<string> = new Set(['get', 'post', 'put', 'delete'])

function routeOf (
  { expression, arguments: [path, , handler] }: ts.CallExpression, walk: ReturnType<typeof newWalk>
): RouteInCode | null {
  if (!ts.isPropertyAccessExpression(expression) || expression.expression.getText() !== 'app') return null
  const method = expression.name.text
  if (!methods.has(method) || path === undefined || handler === undefined) return null
  return { name: `${method.toUpperCase()} ${pathOf(path)}`, reasons: walk(handler) }
}

const pathOf = (node: ts.Expression): string => ts.isTemplateExpression(node)
  ? node.head.text + node.templateSpans.map(({ literal }) => `*${literal.text}`).join('')
  : (node as ts.StringLiteralLike).text

/* ---- what is reached ---- */

/** What one piece of code says itself, and which others it names. */
type Piece = { readonly reasons: readonly string[], readonly names: readonly ts.Node[] }

function newWalk (checker: ts.TypeChecker): (from: ts.Node) => ReadonlySet<string> {
  const pieces = new Map<ts.Node, Piece>()
  const pieceOf = (node: ts.Node): Piece => {
    const known = pieces.get(node) ?? readPiece(checker, node)
    pieces.set(node, known)
    return known
  }
  return from => {
    const reached = new Set([from])
    for (const node of reached) for (const name of pieceOf(node).names) reached.add(name)
    return new Set([...reached].flatMap(node => pieceOf(node).reasons))
  }
}

function readPiece (checker: ts.TypeChecker, from: ts.Node): Piece {
  const reasons: string[] = []
  const names: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return
    if (ts.isNewExpression(node) && node.expression.getText() === 'Refusal') {
      reasons.push(...(node.arguments ?? []).slice(0, 1).flatMap(one => textsOf(checker, one)))
    }
    // What stands behind a dot has no scope: to find it, types would have to be worked out, which takes long.
    if (ts.isPropertyAccessExpression(node)) return visit(node.expression)
    if (ts.isIdentifier(node)) names.push(...codeBehind(checker, node))
    ts.forEachChild(node, visit)
  }
  visit(from)
  return { reasons, names }
}

function textsOf (checker: ts.TypeChecker, reason: ts.Expression): string[] {
  if (ts.isStringLiteral(reason)) return [reason.text]
  const type = checker.getTypeAtLocation(reason)
  return (type.isUnion() ? type.types : [type]).flatMap(one => one.isStringLiteral() ? [one.value] : [])
}

/** The functions and values of the ledger that a name stands for. */
function codeBehind (checker: ts.TypeChecker, name: ts.Identifier): ts.Node[] {
  const said = ts.isShorthandPropertyAssignment(name.parent)
    ? checker.getShorthandAssignmentValueSymbol(name.parent)
    : checker.getSymbolAtLocation(name)
  if (said === undefined) return []
  const symbol = (said.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(said) : said
  return (symbol.declarations ?? []).filter(one => one.getSourceFile().fileName.startsWith(house))
    .flatMap(one => codeOf(one) ?? [])
}

/** Null for what has no code of its own: parameters, types, imports. */
function codeOf (declared: ts.Node): ts.Node | null {
  if (ts.isFunctionDeclaration(declared) || ts.isPropertyAssignment(declared)) return declared
  if (ts.isMethodDeclaration(declared)) return declared
  if (ts.isBindingElement(declared)) return codeOf(declared.parent.parent) // out of what is taken apart
  if (!ts.isVariableDeclaration(declared)) return null
  const { parent: { parent } } = declared
  return declared.initializer ?? (ts.isForOfStatement(parent) ? parent.expression : null)
}
