// All doors of the ledger, in the order of a day.
import type { Ledger } from '../ledger.ts'
import { accountRoutes } from './accounts.ts'
import { alertRoutes } from './alerts.ts'
import type { App } from './app.ts'
import { auditRoutes } from './audit.ts'
import { bankRoutes } from './bank.ts'
import { psamRoutes } from './psams.ts'
import { calendarRoutes } from './calendar.ts'
import { cityRoutes } from './cities.ts'
import { consoleRoutes } from './console.ts'
import { caseRoutes } from './cases.ts'
import { clinicRoutes } from './clinic.ts'
import { componentRoutes } from './components.ts'
import { dayRoutes } from './days.ts'
import { exportRoutes } from './exports.ts'
import { fareRoutes } from './fares.ts'
import { fileRoutes } from './files.ts'
import { healthRoutes } from './health.ts'
import { issuingRoutes } from './issuing.ts'
import { itemRoutes } from './items.ts'
import { libraryRoutes } from './library.ts'
import { loadRoutes } from './loads.ts'
import { cardBlockRoutes } from './card-blocks.ts'
import { cardOrderRoutes } from './card-orders.ts'
import { cardLifeRoutes } from './card-life.ts'
import { cardEndRoutes } from './card-ends.ts'
import { nationalRoutes } from './national.ts'
import { oidcRoutes } from './oidc.ts'
import { operatorRoutes } from './operators.ts'
import { parameterRoutes } from './parameters.ts'
import { phoneCodeRoutes } from './phone-codes.ts'
import { proofRoutes } from './proof.ts'
import { proposalRoutes } from './proposals.ts'
import { reconciliationRoutes } from './reconciliation.ts'
import { recordRoutes } from './records.ts'
import { redressRoutes } from './redress.ts'
import { registryRoutes } from './registry.ts'
import { reportRoutes } from './reports.ts'
import { requestRoutes } from './requests.ts'
import { socialSecurityRoutes } from './social-security.ts'
import { ownRoutes } from './own.ts'
import { residentRoutes } from './residents.ts'
import { serviceRoutes } from './services.ts'
import { statisticsRoutes } from './statistics.ts'
import { supervisionRoutes } from './supervision.ts'
import { staffRoutes } from './staff.ts'
import { tapeRoutes } from './tapes.ts'
import { terminalRoutes } from './terminals.ts'
import { tracingRoutes } from './tracing.ts'
import { treasuryRoutes } from './treasury.ts'
import { transitRoutes } from './transit.ts'
import { usageLimitRoutes } from './usage-limits.ts'
import { viewRoutes } from './views.ts'
import { watchRoutes } from './watch.ts'
import { webhookRoutes } from './webhooks.ts'

const all = [
  healthRoutes,
  operatorRoutes,
  staffRoutes,
  oidcRoutes,
  registryRoutes,
  parameterRoutes,
  terminalRoutes,
  componentRoutes,
  cityRoutes,
  usageLimitRoutes,
  calendarRoutes,
  psamRoutes,
  nationalRoutes,
  recordRoutes,
  requestRoutes,
  loadRoutes,
  cardBlockRoutes,
  cardOrderRoutes,
  cardLifeRoutes,
  cardEndRoutes,
  socialSecurityRoutes,
  phoneCodeRoutes,
  residentRoutes,
  ownRoutes,
  caseRoutes,
  supervisionRoutes,
  issuingRoutes,
  fileRoutes,
  viewRoutes,
  accountRoutes,
  dayRoutes,
  tracingRoutes,
  tapeRoutes,
  reconciliationRoutes,
  itemRoutes,
  bankRoutes,
  reportRoutes,
  proofRoutes,
  transitRoutes,
  treasuryRoutes,
  statisticsRoutes,
  fareRoutes,
  libraryRoutes,
  clinicRoutes,
  serviceRoutes,
  proposalRoutes,
  auditRoutes, redressRoutes,
  alertRoutes,
  exportRoutes,
  watchRoutes,
  webhookRoutes,
  consoleRoutes
]

export const routes = (ledger: Ledger) => async (app: App): Promise<void> => {
  for (const each of all) await app.register(each(ledger))
}
