/*
 * Members of answers. A switch of another release may lack one or have it
 * otherwise: that is no reason to fall over, so every question has an answer.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <jansson.h>
#include <stdbool.h>

/* A string, or "" if there is none. Not made printable. */
const char *js_text(const json_t *object, const char *key);
/* A number, or 0. */
double js_number(const json_t *object, const char *key);
json_int_t js_integer(const json_t *object, const char *key);
bool js_true(const json_t *object, const char *key);
/* Whether it is there and not null. */
bool js_has(const json_t *object, const char *key);

/* Any value on one line for people: a string as it is, on and off for truth,
 * nothing for null, what has parts as JSON. Printable. */
void js_show(const json_t *value, char *to, size_t room);

#endif
