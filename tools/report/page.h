/* The parts of the report's page. */
#ifndef OSPREY_TOOLS_REPORT_PAGE_H
#define OSPREY_TOOLS_REPORT_PAGE_H

#include "charts.h"
#include "report.h"

struct page {
    struct html *html;
    const struct study *study;
    struct view view;
    const struct report_pictures *pictures; /* NULL: none */
    size_t picture_bytes;                   /* of JPEG, in all */
    const char *heading;                    /* of a section: "h2", or "h3" below the factors of the article */
};

extern const char page_css[];

/* ---- What sections are made of ------------------------------------------------------------------ */

void page_section(struct page *page, const char *id, const char *heading); /* opens it */
void page_end(struct page *page);
void page_say(struct page *page, const char *class, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* a paragraph */

/* A chart, once for wide screens and once for narrow ones, with a caption. Nothing if the study has no data for it; says whether
 * it had. */
bool page_chart(struct page *page, chart_function *chart, int column, const char *caption);

/* A table under a chart: `open` false: folded away until it is asked for (it is printed all the same). */
void table_begin(struct page *page, const char *caption, bool open);
void table_begin_many(struct page *page, const char *caption, bool open, int columns); /* smaller, if there are many columns */
void table_head(struct page *page);                                                    /* a row of headings follows */
void table_row(struct page *page);
void table_title(struct page *page, const char *text);      /* a heading of a column of figures */
void table_title_text(struct page *page, const char *text); /* of one of words */
void table_name(struct page *page, const char *text);       /* a heading of a row */
void table_column(struct page *page, int column, bool row); /* the name of a column of the study, with its marks */
void table_other(struct page *page, int column);            /* the same in a cell that is no heading */
void table_text(struct page *page, const char *text);
void table_figure(struct page *page, double value, enum unit unit);                 /* NaN: a dash */
void table_more(struct page *page, double value, enum unit unit, const char *more); /* with smaller words below; NULL: none */
void table_estimate(struct page *page, const struct estimate *e); /* a ratio, its interval below, and whether that is noise */
void table_end(struct page *page);

/* "emulated", "another program", the host of another machine: after the name of a column, everywhere. */
void column_marks(struct page *page, int column);

/* ---- Sections ----------------------------------------------------------------------------------- */

typedef void section_function(struct page *page);
section_function section_time, section_stages, section_speedups, section_start, section_batch, section_size, section_layers,
    section_threads, section_agreement, section_findings, section_method, section_experiments, section_machines,
    section_transfers, section_buckets;

/* factors.c: what the study says to each factor of the article, a sentence or two; "" where it says nothing. */
typedef const char *factor_function(const struct view *view, char out[VERDICT_ROOM]);
factor_function factor_architecture, factor_size, factor_transfers, factor_hardware;

/* Pictures of each column's boxes, small enough that the whole page stays below a megabyte. */
void page_pictures(struct page *page);

#endif
