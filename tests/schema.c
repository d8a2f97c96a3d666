#include "schema.h"

#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct check {
    const json_t *root; /* of the schema: what "#/$defs/..." starts from */
    char *why;
    size_t size;
};

static bool accepts(const struct check *check, const json_t *schema, const json_t *value, const char *place);

static bool no(const struct check *check, const char *place, const char *keyword)
{
    snprintf(check->why, check->size, "%s: %s", *place ? place : "the whole", keyword);
    return false;
}

static bool is_type(const char *name, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return !strcmp(name, "object");
    case JSON_ARRAY:
        return !strcmp(name, "array");
    case JSON_STRING:
        return !strcmp(name, "string");
    case JSON_INTEGER:
        return !strcmp(name, "integer") || !strcmp(name, "number");
    case JSON_REAL:
        return !strcmp(name, "number");
    case JSON_NULL:
        return !strcmp(name, "null");
    default:
        return !strcmp(name, "boolean");
    }
}

static bool has_type(const json_t *names, const json_t *value)
{
    if (json_is_string(names))
        return is_type(json_string_value(names), value);
    bool any = false;
    for (size_t i = 0; i < json_array_size(names); i++)
        any = any || is_type(json_string_value(json_array_get(names, i)), value);
    return any;
}

static bool is_one_of(const json_t *values, const json_t *value)
{
    bool any = false;
    for (size_t i = 0; i < json_array_size(values); i++)
        any = any || json_equal(json_array_get(values, i), value);
    return any;
}

static bool matches(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool match = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

static bool accepts_properties(const struct check *check, const json_t *schema, const json_t *value, const char *place)
{
    const json_t *properties = json_object_get(schema, "properties"), *others = json_object_get(schema, "additionalProperties");
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        char inside[256];
        const json_t *rule = json_object_get(properties, name);
        snprintf(inside, sizeof inside, "%s.%s", place, name);
        if (!rule && json_is_false(others))
            return no(check, inside, "additionalProperties");
        rule = rule ? rule : json_is_object(others) ? others : NULL;
        if (rule && !accepts(check, rule, member, inside))
            return false;
    }
    return true;
}

static bool accepts_items(const struct check *check, const json_t *rule, const json_t *value, const char *place)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        char inside[256];
        snprintf(inside, sizeof inside, "%s[%zu]", place, i);
        if (!accepts(check, rule, json_array_get(value, i), inside))
            return false;
    }
    return true;
}

static bool has_required(const json_t *names, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!json_object_get(value, json_string_value(json_array_get(names, i))))
            return false;
    return true;
}

static const json_t *definition(const struct check *check, const char *reference)
{
    static const char prefix[] = "#/$defs/";
    if (strncmp(reference, prefix, sizeof prefix - 1) != 0)
        return NULL;
    return json_object_get(json_object_get(check->root, "$defs"), reference + sizeof prefix - 1);
}

/* One keyword; those that say nothing of a value of this type let it pass. */
static bool holds(const struct check *check, const char *keyword, const json_t *rule, const json_t *schema, const json_t *value,
                  const char *place)
{
    static const char *const silent[] = {"$schema", "$id", "$defs", "title", "description", "properties"};
    double number = json_number_value(value), limit = json_number_value(rule);
    const char *text = json_string_value(value);
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (!strcmp(keyword, silent[i]))
            return strcmp(keyword, "properties") != 0 || !json_is_object(value) ||
                   accepts_properties(check, schema, value, place);
    if (!strcmp(keyword, "$ref")) {
        const json_t *target = definition(check, json_string_value(rule));
        return target ? accepts(check, target, value, place) : no(check, place, json_string_value(rule));
    }
    if (!strcmp(keyword, "items"))
        return !json_is_array(value) || accepts_items(check, rule, value, place);
    if (!strcmp(keyword, "additionalProperties"))
        return !json_is_object(value) || accepts_properties(check, schema, value, place);
    bool good = !strcmp(keyword, "type")               ? has_type(rule, value)
                : !strcmp(keyword, "const")            ? json_equal(rule, value)
                : !strcmp(keyword, "enum")             ? is_one_of(rule, value)
                : !strcmp(keyword, "required")         ? !json_is_object(value) || has_required(rule, value)
                : !strcmp(keyword, "minimum")          ? !json_is_number(value) || number >= limit
                : !strcmp(keyword, "exclusiveMinimum") ? !json_is_number(value) || number > limit
                : !strcmp(keyword, "minItems")         ? !json_is_array(value) || (double)json_array_size(value) >= limit
                : !strcmp(keyword, "maxItems")         ? !json_is_array(value) || (double)json_array_size(value) <= limit
                : !strcmp(keyword, "minLength")        ? !text || (double)strlen(text) >= limit
                : !strcmp(keyword, "maxLength")        ? !text || (double)strlen(text) <= limit
                : !strcmp(keyword, "pattern")          ? !text || matches(json_string_value(rule), text)
                                                       : false;
    return good || no(check, place, keyword);
}

static bool accepts(const struct check *check, const json_t *schema, const json_t *value, const char *place)
{
    const char *keyword;
    json_t *rule;
    json_object_foreach((json_t *)(uintptr_t)schema, keyword, rule)
    {
        if (!holds(check, keyword, rule, schema, value, place))
            return false;
    }
    return json_is_object(schema) || no(check, place, "the schema is no object");
}

bool schema_accepts(const json_t *schema, const json_t *value, char *why, size_t size)
{
    *why = 0;
    return accepts(&(struct check){schema, why, size}, schema, value, "");
}

bool schema_accepts_file(const char *schema_path, const char *path, char *why, size_t size)
{
    json_error_t error;
    json_t *schema = json_load_file(schema_path, JSON_REJECT_DUPLICATES, &error);
    json_t *value = schema ? json_load_file(path, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!value)
        snprintf(why, size, "%s: line %d: %s", schema ? path : schema_path, error.line, error.text);
    bool good = value && schema_accepts(schema, value, why, size);
    json_decref(value);
    json_decref(schema);
    return good;
}
