/* What a study shows, as sentences with their numbers. Every sentence comes from a rule over
 * tested results (or, for failures and roofs, over what was observed in every run), and carries
 * the query over the store that gives the values it rests on. Where nothing was shown, nothing is
 * said. */
#ifndef JOULELINE_FINDINGS_H
#define JOULELINE_FINDINGS_H

#include "jouleline/contrast.h"
#include "jouleline/devices.h"
#include "jouleline/energy_model.h"
#include "jouleline/paradox.h"
#include "jouleline/portability.h"
#include "jouleline/roofline.h"

typedef enum jl_finding_kind {
    JL_FINDING_HEADLINE,  /* the configuration that takes least, one a device */
    JL_FINDING_RUNTIME,   /* a runtime against another */
    JL_FINDING_PRECISION, /* a precision against another */
    JL_FINDING_INT8,      /* the saving of INT8 with its agreement, by family */
    JL_FINDING_REGIME,    /* native against matched */
    JL_FINDING_BATCH,     /* the largest batch against the smallest */
    JL_FINDING_DEVICE,    /* a device against another */
    JL_FINDING_FAILURE,   /* what does not run, or runs wrongly */
    JL_FINDING_ROOFLINE,  /* which roof binds */
    JL_FINDING_ENERGY,    /* the energy model */
    JL_FINDING_PARADOX,   /* fewer FLOP, more energy */
    JL_FINDING_KINDS
} jl_finding_kind;

/* "headline", "runtime", ... */
const char *jl_finding_kind_name(jl_finding_kind k);

typedef struct jl_finding {
    jl_finding_kind kind;
    jl_metric metric;    /* of the numbers below; latency where none is */
    const char *text;    /* sentences, plain text */
    const char *caution; /* what was not held equal, or NULL */
    const char *query;   /* SQL over the store's view `result` that lists the values used */
    uint32_t rounds;     /* 0: not over rounds */
    jl_value ratio;      /* new / base; absent where the finding is no ratio */
    jl_interval interval;
    jl_value effect, p; /* p is corrected, in the family that the text names */
    uint64_t subject;   /* equal where only batch, metric or family of models differ */
} jl_finding;

typedef struct jl_findings {
    jl_finding *items; /* in the order of the kinds, then of the table */
    size_t count;
    void *memory; /* holds the texts */
} jl_findings;

typedef struct jl_findings_options {
    double alpha;  /* 0: 0.05 */
    uint64_t seed; /* of draws and resamples */
} jl_findings_options;

/* The table must have passed jl_study_table_check. options may be NULL. */
int jl_find(const jl_study_table *t, const jl_findings_options *options, jl_findings *out,
            jl_error *err);
void jl_findings_free(jl_findings *f);

/* Marks at most `most` of them for a reader in a hurry (chosen has one flag each) and returns how
 * many: of every subject the strongest, of the kinds in turn (three of a kind at most), by the end
 * of the interval that lies nearer to 1. Headlines and failures are left out: a report has places
 * of their own for them. */
size_t jl_findings_brief(const jl_findings *f, size_t most, bool *chosen);

/* The headline as a sentence ("On H200, ort-cuda/fp16 uses the fewest joules per inference: 0.61
 * times those of ..."), allocated with malloc; NULL when memory is exhausted. */
char *jl_headline_text(const jl_study_table *t, const jl_headline *h);

#endif
