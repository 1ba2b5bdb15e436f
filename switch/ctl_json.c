#include "ctl_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl_text.h"

const char *js_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

double js_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

json_int_t js_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool js_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool js_has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

static void show_parts(const json_t *value, char *to, size_t room)
{
	char *text = json_dumps(value, JSON_ENSURE_ASCII | JSON_COMPACT);

	text_printable(text ? text : "", to, room);
	free(text);
}

void js_show(const json_t *value, char *to, size_t room)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		text_printable(json_string_value(value), to, room);
		break;
	case JSON_INTEGER:
		snprintf(to, room, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		break;
	case JSON_REAL:
		snprintf(to, room, "%.3f", json_real_value(value));
		break;
	case JSON_TRUE:
		snprintf(to, room, "on");
		break;
	case JSON_FALSE:
		snprintf(to, room, "off");
		break;
	case JSON_NULL:
		*to = '\0';
		break;
	default:
		show_parts(value, to, room);
	}
}
