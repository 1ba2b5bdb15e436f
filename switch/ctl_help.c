#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ctl_commands.h"
#include "ctl_context.h"

/* Each line of @help, behind @indent blanks. */
static void print_lines(const char *help, int indent)
{
	while (*help) {
		int bytes = (int)strcspn(help, "\n");

		printf("%*s%.*s\n", indent, "", bytes, help);
		help += bytes + (help[bytes] == '\n');
	}
}

static void print_command(const struct object *o, const struct command *c)
{
	printf("ringctl %s%s%s%s%s\n", o->name, *c->name ? " " : "", c->name,
	       *c->synopsis ? " " : "", c->synopsis);
	print_lines(c->help, 8);
}

static void print_everything(void)
{
	puts("Usage: ringctl [OPTION]... OBJECT [COMMAND] [WORD]...\n"
	     "Asks and tells a running ringswitch. COMMAND is show if left out; words may be\n"
	     "shortened as long as they are unique. Objects:\n");
	for (size_t i = 0; i < object_count; i++)
		printf("  %-10s %s\n", objects[i].name, objects[i].help);
	puts("\nringctl OBJECT help has the commands. Options:\n\n"
	     "  -n, --name NAME      the switch of that name; also $RINGSWITCH_NAME;\n"
	     "                       default: the only one that runs\n"
	     "  --socket PATH        the switch whose control socket is there\n"
	     "  -j, --json           print JSON; may stand behind the command too\n"
	     "  -p, --pretty         with blanks and newlines\n"
	     "  -c, --color[=WHEN]   always (if not said), auto (the default) or never\n"
	     "  -b, --batch FILE     carry out the lines of FILE (-: of stdin) until one fails\n"
	     "  --force              go on then\n"
	     "  --timeout SECONDS    for an answer (10)\n"
	     "  -V, --version        show the version and exit\n"
	     "  -h, --help           show this and exit\n"
	     "\nExit status: 0 done, 1 wrong command line, 2 refused or not reachable.");
}

static bool is_asked_for(const struct object *o, const struct command *c,
			 const struct object *object,
			 const struct command *command)
{
	return (!object || o == object) && (!command || c == command);
}

static void print_json(const struct ctl *ctl, const struct object *object,
		       const struct command *command)
{
	json_t *all = json_array();

	for (size_t i = 0; i < object_count; i++)
		for (size_t n = 0; n < objects[i].count; n++) {
			const struct command *c = &objects[i].commands[n];

			if (is_asked_for(&objects[i], c, object, command))
				json_array_append_new(
					all,
					json_pack("{s:s, s:s, s:s, s:s}",
						  "object", objects[i].name,
						  "command", c->name, "words",
						  c->synopsis, "help",
						  c->help));
		}
	ctl_print_json(ctl, all);
	json_decref(all);
}

void commands_help(const struct ctl *ctl, const struct object *object,
		   const struct command *command)
{
	if (ctl->json) {
		print_json(ctl, object, command);
		return;
	}
	if (!object) {
		print_everything();
		return;
	}
	for (size_t i = 0; i < object->count; i++)
		if (!command || command == &object->commands[i])
			print_command(object, &object->commands[i]);
}
