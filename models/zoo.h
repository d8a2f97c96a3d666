/* Networks by name, and the settings that a weight file carries for them. */
#ifndef OSPREY_MODELS_ZOO_H
#define OSPREY_MODELS_ZOO_H

#include "runtime/build.h"

enum { OSP_MAX_CLASSES = 4096 };

/* Everything about a network that is not a tensor: stored as strings in the weight file's __metadata__ under these names.
 * Each is checked on reading (hostile-input N11 to N13): a refusal names the file, the key, the value and what is allowed. */
struct osp_config {
    const char *architecture;
    int classes;             /* background included */
    const char **class_name; /* [classes]; stored as a JSON array under "classes" */
    int min_size, max_size;
    double mean[3], std[3]; /* "image_mean", "image_std": three numbers, commas between */
    int norm_times;         /* "input_norm": once 1, twice 2 */
    const char *resize;     /* "double" or "f32-reciprocal" */
    double bn_eps;
    int rpn_pre_nms_top_n, rpn_post_nms_top_n;
    double rpn_nms_thresh, rpn_score_thresh;
    double box_nms_thresh, box_score_thresh;
    int box_detections_per_img;
    const char *source_name, *source_sha256; /* "" if unknown */
};

struct osp_network {
    const char *name;           /* "fasterrcnn_resnet50_fpn": architecture in the file, --model on the command line */
    const char *about;          /* one line for listings */
    struct osp_config defaults; /* torchvision's; classes 0 */
    void (*build)(struct osp_graph *graph, const struct osp_config *config);
    const char *const *signs; /* tensor names (new spelling) that a checkpoint of this network has, NULL-terminated... */
    const char *const *lacks; /* ...and names that it does not have */
};

const struct osp_network *osp_zoo(int i);                 /* NULL past the last */
const struct osp_network *osp_zoo_find(const char *name); /* NULL: none */

/* Which networks could a checkpoint be, by its tensor names? has(context, name) says whether a tensor is there.
 * Returns how many fit and fills at most `room` of them. */
int osp_zoo_identify(int (*has)(void *context, const char *name), void *context, const struct osp_network **found, int room);

/* Reads and checks a file's settings; strings are owned by the config. OSP_REFUSED, OSP_MEMORY. */
osp_status osp_config_read(const struct osp_safetensors *file, struct osp_config **out);
void osp_config_free(struct osp_config *config);

/* The settings as metadata pairs, ready for osp_safetensors_write; at most 32. Free with osp_config_meta_free. */
osp_status osp_config_meta(const struct osp_config *config, struct osp_meta *pairs, int *count);
void osp_config_meta_free(struct osp_meta *pairs, int count);

const struct osp_config *osp_model_config(const struct osp_model *model);

/* The 91 COCO names in torchvision's order, "N/A" in the holes. */
extern const char *const osp_coco_classes[91];

#endif
