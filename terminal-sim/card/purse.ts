// The money of one purse on a chip: real value or used overdraft, never both, and the two counters.
// It refuses to know MACs and files.

import assert from 'node:assert/strict'
import { limits } from '../../schemas/limits.ts'

export type Purse = {
  /** What terminals print and use, in fen. */
  readonly realFen: number
  /** Of the overdraft, in fen; above 0 only while `realFen` is 0. */
  readonly usedFen: number
  readonly limitFen: number
  /** As the next INITIALIZE answers them: 0 on a new card. */
  readonly offlineCounter: number
  readonly onlineCounter: number
}

export const spendableFen = (purse: Purse): number => purse.realFen + purse.limitFen - purse.usedFen

/** Signed: below zero where overdraft is used. */
export const balanceFen = (purse: Purse): number => purse.realFen - purse.usedFen

/** One debit of 0 or more; the caller has refused what is above {@link spendableFen}. */
export function spend (purse: Purse, amountFen: number): Purse {
  assert(amountFen >= 0 && amountFen <= spendableFen(purse), 'the amount was checked at INITIALIZE')
  const fromReal = Math.min(amountFen, purse.realFen)
  return {
    ...purse,
    realFen: purse.realFen - fromReal,
    usedFen: purse.usedFen + amountFen - fromReal,
    offlineCounter: purse.offlineCounter + 1
  }
}

/** One load: used overdraft is paid back first. */
export function load (purse: Purse, amountFen: number): Purse {
  assert(fits(purse, amountFen), 'the amount was checked at INITIALIZE')
  const paidBack = Math.min(amountFen, purse.usedFen)
  return {
    ...purse,
    realFen: purse.realFen + amountFen - paidBack,
    usedFen: purse.usedFen - paidBack,
    onlineCounter: purse.onlineCounter + 1
  }
}

/** Whether the purse can hold the amount on top; its four bytes keep the top bit free. */
export const fits = (purse: Purse, amountFen: number): boolean =>
  amountFen >= 0 && purse.realFen + amountFen <= limits.balanceFenMax
