/* Stores of an older schema, read without changing them. */
#ifndef JL_STORE_OLDER_H
#define JL_STORE_OLDER_H

#include "store/sql.h"

/* From now on `s` reads a copy of its file with the current schema, s->copy, in TMPDIR or /tmp. */
int jl_store_copy_older(jl_store *s, jl_error *err);
void jl_store_drop_copy(jl_store *s);

#endif
