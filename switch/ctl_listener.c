/* The object listener. */
#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_table.h"
#include "ctl_words.h"

static const struct table_column columns[] = {
	{ .title = "LISTENER", .key = "listener", .least = 16 },
	{ .title = "STATE", .key = "state", .show = table_state },
	{ .title = "PORTS", .key = "ports", .right = true, .rank = 1 },
	{ .title = "NAME", .key = "name", .rank = 2, .least = 8 },
	{ .title = "QUEUE", .key = "queue", .right = true, .rank = 4 },
	{ .title = "MTU", .key = "mtu", .right = true, .rank = 3 },
};

static int show(struct ctl *ctl, const json_t *answer)
{
	if (!json_is_array(answer))
		return ctl_strange(ctl, "list of listeners");
	table_print(ctl, answer, columns, sizeof(columns) / sizeof(*columns));
	return CTL_OK;
}

int listener_show(struct ctl *ctl, struct words *words)
{
	const char *listener = words_next(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "listener.show",
		      words_arguments("listener", listener), show);
}

static int change(struct ctl *ctl, struct words *words, const char *execute,
		  const char *argument)
{
	const char *endpoint = words_next(words);

	if (!endpoint)
		return words_missing(ctl, "KIND:PATH");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, execute,
		      words_arguments(argument, endpoint), NULL);
}

int listener_add(struct ctl *ctl, struct words *words)
{
	return change(ctl, words, "listener.add", "endpoint");
}

int listener_del(struct ctl *ctl, struct words *words)
{
	return change(ctl, words, "listener.del", "listener");
}
