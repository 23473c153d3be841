/* Facts of the host that a device belongs to, for the fairness audit. */
#ifndef JL_STORE_HOST_FACTS_H
#define JL_STORE_HOST_FACTS_H

#include "base/arena.h"
#include "jouleline/study_table.h"
#include "store/sql.h"

/* cpu, kernel and governor under which the rounds of a study ran: every value that occurred, or the
 * reason why there is none. `study` and the studies of the same specification, unless `alone`. */
int jl_host_facts(jl_store *s, jl_id host, jl_id study, bool alone, jl_arena *a,
                  const jl_study_fact **facts, size_t *count, jl_error *err);

#endif
