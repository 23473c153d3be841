/* What became of a run. The names are the same in SQL, JSON and prose. */
#ifndef JOULELINE_OUTCOME_H
#define JOULELINE_OUTCOME_H

typedef enum jl_outcome {
    JL_OUTCOME_OK,
    JL_OUTCOME_UNSUPPORTED, /* the runtime refused the model or the precision; its words are kept */
    JL_OUTCOME_NUMERICAL,   /* new NaN or Inf, or too far from the FP32 reference */
    JL_OUTCOME_OOM,         /* host or device memory exhausted */
    JL_OUTCOME_CRASH,       /* the worker died of a signal */
    JL_OUTCOME_TIMEOUT,     /* the worker did not answer in time */
    JL_OUTCOME_MISSING,     /* no such runtime, provider or device here */
    JL_OUTCOME_INVALID,     /* a bad model or bad inputs */
    JL_OUTCOME_COUNT,
} jl_outcome;

const char *jl_outcome_name(jl_outcome o);
/* The outcome that a library error stands for (JL_ERR_MISSING: missing, JL_ERR_FORMAT: invalid,
 * JL_ERR_DEVICE_MEMORY and JL_ERR_MEMORY: oom, ...; anything else: unsupported). */
jl_outcome jl_outcome_of_error(int code);
/* -1 when the name is unknown. */
int jl_outcome_parse(const char *name);

#endif
