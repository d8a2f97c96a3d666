/* The report of a study: one HTML page that stands alone (inline SVG, pictures inside, no scripts, nothing fetched), and its
 * charts as files. Both are views of the study and of nothing else. */
#ifndef OSPREY_TOOLS_REPORT_H
#define OSPREY_TOOLS_REPORT_H

#include "tools/measure/study.h"

/* The picture on which each column's boxes are drawn; not kept by a study. */
struct report_pictures {
    const struct osp_image *image; /* as decoded; it is copied, scaled down */
    int workload, picture;         /* whose results are drawn: study.columns[i].cells[workload].pictures[picture] */
    const char *const *classes;    /* names by class id; NULL: ids are shown */
    int class_count;
};

/* Writes the page to a temporary name and renames it. pictures NULL: without. OSP_UNWRITTEN (what was there is intact),
 * OSP_MEMORY. */
osp_status report_write(const struct study *study, const struct report_pictures *pictures, const char *path);

/* Writes each chart that the study has data for into an existing folder, one SVG file each: time.svg, stages.svg, ...
 * OSP_UNWRITTEN, OSP_MEMORY. */
osp_status charts_write(const struct study *study, const char *folder);

#endif
