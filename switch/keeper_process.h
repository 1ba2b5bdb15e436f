/*
 * The inside of the keeper: keeper_prepare.c makes what it needs, keeper_switch.c
 * starts a switch, listens to it and decides about its end, keeper.c waits for
 * all that happens.
 */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon.h"
#include "keeper_child.h"
#include "keeper_history.h"
#include "keeper_store.h"
#include "privilege.h"

struct options;
struct state_file;

struct keeper {
	struct options *options;
	struct daemon daemon;
	struct privilege privilege;
	struct keeper_child how;
	struct keeper_store store;
	struct keeper_history history;
	struct state_file *state;
	char state_trouble[512]; /* why there is none, to be said when ready */
	int signals, blame;

	pid_t child; /* 0: none now */
	int channel;
	uint32_t starts;
	enum keeper_why why; /* of the next start */
	uint64_t start_at_ms, started_ms, died_ms;
	bool ready, was_ready; /* this switch; any */
	bool sending, stuck;   /* what is held */
	bool wants_restart;    /* it has said */
	unsigned pending;      /* signals for it, when it is ready */

	uint64_t watchdog_ms, fed_ms; /* how often it must be fed; 0: never */
	uint64_t looked_ms;	      /* at it */
	uint64_t kill_at_ms;	      /* 0: never */
	bool has_killed; /* this one, which hung */
	bool stopping, over;
	int status;
};

/*
 * Everything but a switch, for @argv: the background, the pid file, the switch's
 * directory, the state file. Returns 0, or -errno with a line in @why.
 */
int keeper_prepare(struct keeper *k, char *argv[], char *why, size_t why_bytes);

/* Start a switch. Returns 0 or -errno. */
int keeper_start_switch(struct keeper *k);

/* Send it @sig, now or when it is ready. */
void keeper_pass_on(struct keeper *k, int sig);

/* Read some of what it says; send some of what is held. */
void keeper_listen(struct keeper *k);
void keeper_send_held(struct keeper *k);

/* It has ended with @status (waitpid(2)): plan the next start, or be over. */
void keeper_on_end(struct keeper *k, int status);

/* Be over, with this exit status. */
void keeper_end(struct keeper *k, int status);

#endif
