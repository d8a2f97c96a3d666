#include "names.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FITS = 8 };

/* ---- Renaming ------------------------------------------------------------------------------------- */

static size_t after(const char *name, const char *start)
{
    size_t size = strlen(start);
    return strncmp(name, start, size) == 0 ? size : 0;
}

/* torchvision 0.13 put convolutions of FPN and RPN into Conv2dNormActivation modules, which lengthened their names. Returns where
 * to insert `part`; 0: the name is up to date. */
static size_t old_name(const char *name, const char **part)
{
    size_t at = after(name, "rpn.head.conv.");
    *part = "0.0.";
    if (at == 0) {
        at = after(name, "backbone.fpn.inner_blocks.");
        at = at ? at : after(name, "backbone.fpn.layer_blocks.");
        size_t digits = at ? strspn(name + at, "0123456789") : 0;
        at = digits && name[at + digits] == '.' ? at + digits + 1 : 0;
        *part = "0.";
    }
    return at && (strcmp(name + at, "weight") == 0 || strcmp(name + at, "bias") == 0) ? at : 0;
}

static bool is_counter(const char *name)
{
    static const char end[] = "num_batches_tracked";
    size_t size = strlen(name), part = sizeof end - 1;
    return size >= part && strcmp(name + size - part, end) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

osp_status names_read(const struct checkpoint *checkpoint, const char *path, struct names *out)
{
    struct names n = {0};
    size_t room = 1;
    for (int i = 0; i < checkpoint->count; i++)
        room += strlen(checkpoint->tensors[i].name) + sizeof "0.0.";
    n.items = calloc((size_t)checkpoint->count + 1, sizeof *n.items);
    n.text = malloc(room);
    if (!n.items || !n.text) {
        names_free(&n);
        return osp_fail(OSP_MEMORY, "%s: out of memory: %d names need %zu bytes", path, checkpoint->count, room);
    }
    char *text = n.text;
    for (int i = 0; i < checkpoint->count; i++) {
        const struct osp_stored_tensor *tensor = &checkpoint->tensors[i];
        const char *part = "";
        if (is_counter(tensor->name)) {
            n.dropped++;
            continue;
        }
        size_t at = old_name(tensor->name, &part);
        n.renamed += at != 0;
        n.items[n.count++] = (struct named){text, tensor};
        text +=
            snprintf(text, room - (size_t)(text - n.text), "%.*s%s%s", (int)at, tensor->name, at ? part : "", tensor->name + at) +
            1;
    }
    qsort(n.items, (size_t)n.count, sizeof *n.items, by_name);
    char shown[256];
    for (int i = 1; i < n.count; i++)
        if (strcmp(n.items[i - 1].name, n.items[i].name) == 0) {
            osp_quote(shown, sizeof shown, n.items[i].name, strlen(n.items[i].name));
            names_free(&n);
            return osp_fail(OSP_REFUSED, "%s: tensor '%s': found under its old and its new name, allowed once", path, shown);
        }
    *out = n;
    return OSP_OK;
}

void names_free(struct names *names)
{
    free(names->items);
    free(names->text);
    *names = (struct names){0};
}

const struct osp_stored_tensor *names_find(const struct names *names, const char *name)
{
    struct named key = {.name = name}, *found = NULL;
    if (names->count > 0)
        found = bsearch(&key, names->items, (size_t)names->count, sizeof key, by_name);
    return found ? found->tensor : NULL;
}

/* ---- Which network -------------------------------------------------------------------------------- */

static int has(void *context, const char *name) { return names_find(context, name) != NULL; }

static void append(char *text, size_t size, const char *word)
{
    snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? ", " : "", word);
}

/* What a state dict of no known network seems to be. */
static osp_status unknown(const struct names *names, const char *path)
{
    static const struct {
        const char *sign, *what;
    } families[] = {
        {"roi_heads.mask_predictor.conv5_mask.weight", "a Mask R-CNN"},
        {"roi_heads.keypoint_predictor.kps_score_lowres.weight", "a Keypoint R-CNN"},
        {"head.regression_head.bbox_ctrness.weight", "an FCOS"},
        {"head.classification_head.cls_logits.weight", "a RetinaNet"},
        {"head.classification_head.module_list.0.weight", "an SSD"},
        {"head.classification_head.module_list.0.0.0.weight", "an SSDlite"},
        {"backbone.body.layer3.6.conv1.weight", "a detector on a ResNet deeper than 50 layers"},
        {"transformer.encoder.layers.0.self_attn.in_proj_weight", "a DETR"},
        {"model.0.conv.weight", "a YOLO"},
        {"fc.weight", "an image classifier"},
        {"classifier.1.weight", "an image classifier"},
    };
    char known[512] = "", first[256] = "", shown[64];
    for (int i = 0; osp_zoo(i); i++)
        append(known, sizeof known, osp_zoo(i)->name);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (names_find(names, families[i].sign))
            return osp_fail(OSP_REFUSED, "%s: found the weights of %s ('%s'), allowed are those of %s", path, families[i].what,
                            families[i].sign, known);
    for (int i = 0; i < names->count && i < 3; i++)
        append(first, sizeof first, osp_quote(shown, sizeof shown, names->items[i].name, strlen(names->items[i].name)));
    return osp_fail(OSP_REFUSED, "%s: found %d tensors of an unknown network (%s%s), allowed are those of %s", path, names->count,
                    first, names->count > 3 ? ", ..." : "", known);
}

osp_status names_network(const struct names *names, const char *path, const char *wanted, const struct osp_network **out)
{
    const struct osp_network *fits[MOST_FITS];
    char list[512] = "";
    if (wanted && !osp_zoo_find(wanted)) {
        for (int i = 0; osp_zoo(i); i++)
            append(list, sizeof list, osp_zoo(i)->name);
        return osp_fail(OSP_USAGE, "--model: found %s, allowed are %s", wanted, list);
    }
    int count = osp_zoo_identify(has, (void *)names, fits, MOST_FITS);
    if (count == 0)
        return unknown(names, path);
    for (int i = 0; i < count && i < MOST_FITS; i++) {
        if (wanted ? strcmp(wanted, fits[i]->name) == 0 : count == 1) {
            *out = fits[i];
            return OSP_OK;
        }
        append(list, sizeof list, fits[i]->name);
    }
    if (wanted)
        return osp_fail(OSP_USAGE, "%s: --model: found %s, allowed is what the tensors are of: %s", path, wanted, list);
    return osp_fail(OSP_USAGE, "%s: its tensors are those of %d networks: say which with --model: %s", path, count, list);
}
