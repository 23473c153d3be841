/* The sections of a report: each adds its sheets. */
#ifndef JL_REPORT_SECTIONS_H
#define JL_REPORT_SECTIONS_H

#include "jouleline/store.h"
#include "jouleline/study_table.h"
#include "report/sheet.h"

typedef struct jl_report_options {
    const char *baseline; /* of the pairs: a configuration, or NULL for all pairs */
    uint64_t seed;        /* of draws and resamples */
    bool brief;           /* findings: the most important ones only, without their queries;
                             int8: without CPU time */
    bool for_readers;     /* long lists are cut, and say so; programs get everything */
} jl_report_options;

typedef struct jl_section {
    const char *name, *about;
    int (*add)(jl_report *r, const jl_study_data *d, const jl_report_options *o, jl_error *err);
} jl_section;

/* cells, pairs, families, ... in the order of printing; ends with {0}. */
extern const jl_section jl_sections[];
const jl_section *jl_section_find(const char *name);

int jl_section_ran(jl_report *r, const jl_study_data *d, const jl_report_options *o, jl_error *err);
int jl_section_cells(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err);
int jl_section_pairs(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err);
int jl_section_families(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err);
int jl_section_precision(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                         jl_error *err);
int jl_section_batch(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err);
int jl_section_devices(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                       jl_error *err);
int jl_section_portability(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                           jl_error *err);
int jl_section_int8(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                    jl_error *err);
int jl_section_audit(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                     jl_error *err);
int jl_section_interpreter(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                           jl_error *err);
/* Whether that section has anything to show. */
bool jl_has_interpreter_shares(const jl_study_table *t);
/* Whether a cell ran in INT8. */
bool jl_has_int8(const jl_study_table *t);
int jl_section_roofline(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err);
int jl_section_energy(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                      jl_error *err);
int jl_section_paradox(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                       jl_error *err);
int jl_section_repeatability(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                             jl_error *err);
int jl_section_idle(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                    jl_error *err);
int jl_section_findings(jl_report *r, const jl_study_data *d, const jl_report_options *o,
                        jl_error *err);

/* ---- what the sections share ---- */

/* The device's name, with "(simulated)" if it is. */
const char *jl_device_label(const jl_report *r, const jl_study_table *t, uint32_t device);
bool jl_several_devices(jl_report *r, const jl_study_table *t);
bool jl_several_in_flight(jl_report *r, const jl_study_table *t);
/* "resnet50, batch 8", with the device and the calls in flight where the study has several. */
const char *jl_place_words(jl_report *r, const jl_study_table *t, const jl_study_cell *c);
/* The cells of models (no probes) as readers look for them: by model, device, batch, configuration
 * and calls in flight. `order` has room for all cells; how many there are. */
size_t jl_cells_in_order(const jl_study_table *t, size_t *order);
/* The same cells by device, configuration, model, batch and calls in flight. */
size_t jl_cells_by_configuration(const jl_study_table *t, size_t *order);
/* Latency, and the gross energy where it was measured. */
size_t jl_report_metrics(const jl_study_table *t, jl_metric metrics[2]);
/* "energy (modelled)" where it is. */
const char *jl_metric_words(const jl_study_table *t, jl_metric m);
/* The facts in which two cells, each of its table, differ: "tf32, threads", or NULL. */
const char *jl_not_held_equal(jl_report *r, const jl_study_table *ta, const jl_study_cell *a,
                              const jl_study_table *tb, const jl_study_cell *b);
/* Adds the sheet of machine, driver, link and software, once a report. */
int jl_put_measured_on(jl_report *r, const jl_study_table *t, jl_error *err);
/* Says below a sheet what is simulated, modelled, or not measured. */
void jl_note_origin(jl_sheet *s, const jl_study_data *d);

#endif
