/* Lists and sets of names: of operators, and of what the caller keeps in FP32. Private to
 * src/convert. */
#ifndef JL_CONVERT_NAMES_H
#define JL_CONVERT_NAMES_H

#include "base/map.h"
#include "jouleline/error.h"

/* Whether the word is one of the names; the list ends with NULL. */
bool jl_among(jl_str word, const char *const *names);

/* A set whose values count how often each name was met. */
int jl_name_set(jl_map *set, const char *const *names, size_t count, jl_error *err);
/* Whether the name is in the set; counts it. */
bool jl_name_met(jl_map *set, jl_str name);
/* A name that the user gave and nothing has is a mistake, not a wish that came true:
 * JL_ERR_USAGE names it. */
int jl_name_unmet(const jl_map *set, const char *const *names, size_t count, jl_error *err);

#endif
