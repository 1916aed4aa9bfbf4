// Transaction type bytes as they stand in file 0018, in MAC1 and in the TAC. ED is the deposit, EP the purse.

export const transactionTypes = {
  edLoad: 0x01,
  epLoad: 0x02,
  unload: 0x03,
  edCash: 0x04,
  edPurchase: 0x05,
  epPurchase: 0x06,
  overdraftUpdate: 0x07,
  cappPurchase: 0x09,
  greyLockEd: 0x91,
  greyLockEp: 0x92,
  greyDebitEd: 0x93,
  greyDebitEp: 0x94,
  greyUnlockEd: 0x95,
  greyUnlockEp: 0x96
} as const
export type TransactionType = keyof typeof transactionTypes

export const transactionTypeName = (byte: number): TransactionType | null => {
  const found = Object.entries(transactionTypes).find(([, value]) => value === byte)
  return found === undefined ? null : found[0] as TransactionType
}
