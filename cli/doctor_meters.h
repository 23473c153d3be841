/* The meters of this machine, for `jouleline doctor`. */
#ifndef JL_DOCTOR_METERS_H
#define JL_DOCTOR_METERS_H

#include <jansson.h>
#include <stdio.h>

#include "base/arena.h"

/* One object a meter: "meter", "summary", "state" ("works", "absent" or "on request"), "found"
 * (what was found, or why it does not work), "fix" (the step that would help, when there is one).
 * `root` is put before /sys and /proc; NULL for this machine. The caller owns the array. */
json_t *jl_doctor_meters(const char *root);

/* The same as a table, and one line for each remedy. */
void jl_doctor_print_meters(FILE *to, const json_t *meters, jl_arena *arena);

#endif
