#!/usr/bin/env bash
# A night of trying to break it: small cities whose processes are killed until the time is over, each with a seed
# that no night before had; then all scenarios in another order, told twice, and with a ledger that dies. What
# failed is kept, with its seed and with what the processes said. Ends with 1 where anything did.
#
#   bin/nightly.sh [MINUTES [DIR]]        420 minutes, .data/nightly
#   cron: 0 23 * * *  cd /srv/citizen-card && nice -n 19 bin/nightly.sh 420 /var/lib/citizen-card/nightly
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-420}
dir=${2:-.data/nightly}
mkdir -p "$dir"

day=$(($(date +%s) / 86400))
code=0
npm run --silent sim -- faults --minutes "$minutes" --seed "$((day * 10000))" \
  --json "$dir/faults.jsonl" --logs "$dir/logs" | tee -a "$dir/faults.log" || code=1

npm run --silent scenario -- test/scenarios/*.yaml \
  --passes "shuffle=$day,shuffle=$((day + 100000))+duplicate,crash=$day" \
  --json "$dir/scenarios-$day.json" | tee "$dir/scenarios-$day.log" || code=1
exit "$code"
