/* What `run --dry-run` prints. */
#ifndef JL_DRY_RUN_H
#define JL_DRY_RUN_H

#include "jouleline/study.h"

/* Cells, time by stage and device memory as earlier runs of the same configurations in the store
 * at `db` had them (if there are any), and the rounds that each family of tests needs. */
int jl_print_dry_run(const jl_study_spec *spec, const jl_study_size *size, const char *db,
                     jl_error *err);

#endif
