/* From the result of a run to the rows of the store. */
#ifndef JL_STUDY_RECORD_H
#define JL_STUDY_RECORD_H

#include "study/agreement.h"
#include "study/bench.h"

/* Latency, throughput, CPU time, condition, energy: all that the result tells. `energy` has room
 * for JL_METERED_SCOPES and `ticks` for JL_HOST_DOMAINS + 1; both must outlive the record, as the
 * result must. `meters` holds the ids of
 * the set's domains; no_energy is why there is none (without metering). */
void jl_record_fill(const jl_bench_result *r, int64_t batch, const jl_id *meters,
                    const jl_metering *metering, const char *no_energy, jl_energy_record *energy,
                    jl_ticks_record *ticks, jl_run_record *to);

#endif
