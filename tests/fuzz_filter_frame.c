/*
 * Any bytes as a frame, against rules of all kinds. It is judged as the model
 * judges it (filter_model.h), and translated in its addresses and checksums
 * only, so that going there, back and there again is going there.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../tap/filter_compile.h"
#include "../tap/filter_view.h"
#include "filter_model.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { ETHERNET_MIN = 14 };

/* Numbers are few, and those that frames have. */
static const char text[] =
	"default to-guests drop\n"
	"translate 10.0.0.1 <-> 192.0.2.1\n"
	"translate 10.0.0.2 <-> 10.0.0.3\n"
	"translate 10.0.0.3 <-> 10.0.0.2\n"
	"translate 0.0.0.0 <-> 255.255.255.255\n"
	"count src-mac 02:00:00:00:00:00/01:00:00:00:00:ff\n"
	"drop dst-mac !ff:ff:ff:ff:ff:ff,02:00:00:00:00:00/24 vlan none\n"
	"drop vlan 5-9,4095 ethertype !ipv4,ipv6\n"
	"accept ethertype 0-1535,lldp\n"
	"drop arp !request,reply\n"
	"accept arp-sender 10.0.0.0/30 arp-sender-mac 02:00:00:00:00:01\n"
	"drop to-host arp-target-mac 00:00:00:00:00:00/00:00:00:00:00:ff\n"
	"accept arp-target 10.0.0.1,10.0.0.2\n"
	"drop arp-target-mac !00:00:00:00:00:00/00:00:00:00:00:01\n"
	"drop src 10.0.0.2,fd00::/47 dst !10.0.0.0/8,fd00::/8\n"
	"count protocol tcp tcp-flags syn/syn+ack\n"
	"drop src-port 0-1023 tcp-flags none/syn+ack+fin\n"
	"rate-limit 100 packets/s dst-port 80,443,8000-8100\n"
	"rate-limit 1 Mbit/s burst 20 kB to-host dst fd00::1/127\n"
	"drop icmp-type redirect,13-14\n"
	"drop icmpv6-type !echo-request,echo-reply,133-136\n"
	"accept tcp-flags established\n"
	"drop src !fd00:0:0:1::/96,10.0.0.0/8\n"
	"accept protocol 0-5,esp,132-255\n"
	"drop dst-port !53\n"
	"accept dst fd00::2\n"
	"drop to-host src 0.0.0.0/1\n";

static struct filter_table *table;
static struct filter_view view;
static struct model *model;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char why[512];
	const char *error;
	struct filter_rules *rules = filter_rules_parse(
		"fuzz", text, strlen(text), why, sizeof(why));

	(void)argc;
	(void)argv;
	assert(rules);
	table = filter_compile(rules, &error);
	assert(table);
	view = (struct filter_view){ table->lines, table->count };
	model = model_new(text);
	filter_rules_free(rules);
	return 0;
}

/* A copy of just this length, the caller's. */
static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static void judge(enum filter_direction direction, const uint8_t *frame,
		  uint32_t len)
{
	uint32_t line, model_line;
	bool drops = filter_view_drops(&view, direction, frame, len, &line);

	if (len < ETHERNET_MIN)
		return;
	assert(drops == model_drops(model, direction, frame, len, &model_line));
	assert(line == model_line);
}

static unsigned word_at(const uint8_t *bytes, size_t at)
{
	return (unsigned)bytes[at] << 8 | bytes[at + 1];
}

/* A one's complement sum of 0 is written in two ways. */
static void check_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert(a[i] == b[i] ||
		       ((i | 1) < len && !(word_at(a, i & ~(size_t)1) % 0xffff) &&
			!(word_at(b, i & ~(size_t)1) % 0xffff)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *frame = copy_of(bytes, len), *there;
	uint32_t length = (uint32_t)len;

	judge(FILTER_TO_HOST, frame, length);
	judge(FILTER_TO_GUESTS, frame, length);
	filter_view_translate(&view, FILTER_TO_HOST, frame, length);
	/* Not the Ethernet header, nor anything far behind. */
	assert(!memcmp(frame, bytes, len < ETHERNET_MIN ? len : ETHERNET_MIN));
	if (len > FILTER_MEND_BYTES)
		assert(!memcmp(frame + FILTER_MEND_BYTES,
			       bytes + FILTER_MEND_BYTES,
			       len - FILTER_MEND_BYTES));
	there = copy_of(frame, len);
	filter_view_translate(&view, FILTER_TO_GUESTS, frame, length);
	filter_view_translate(&view, FILTER_TO_HOST, frame, length);
	check_same(frame, there, len);
	free(there);
	free(frame);
	return 0;
}
