#include "filter_expression.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

struct filter_expression {
	struct bpf_program program;
};

enum { LONGEST_FRAME = 1 << 18 };

/* Direction and the like are found where only a live capture has something: at
 * places below 0 (linux/filter.h, SKF_AD_OFF). */
static bool needs_live_capture(const struct bpf_program *program)
{
	for (unsigned i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		if (BPF_CLASS(insn->code) == BPF_LD &&
		    BPF_MODE(insn->code) == BPF_ABS && (int32_t)insn->k < 0)
			return true;
	}
	return false;
}

struct filter_expression *filter_expression_new(const char *text, char *why,
						size_t why_bytes)
{
	struct filter_expression *e = calloc(1, sizeof(*e));
	pcap_t *ethernet = pcap_open_dead(DLT_EN10MB, LONGEST_FRAME);

	if (!e || !ethernet) {
		snprintf(why, why_bytes, "out of memory");
	} else if (pcap_compile(ethernet, &e->program, text, 1,
				PCAP_NETMASK_UNKNOWN)) {
		snprintf(why, why_bytes, "%s", pcap_geterr(ethernet));
	} else if (needs_live_capture(&e->program)) {
		snprintf(why, why_bytes,
			 "asks for what a frame does not tell (inbound, outbound, ifindex): leave it out");
		pcap_freecode(&e->program);
	} else {
		pcap_close(ethernet);
		return e;
	}
	if (ethernet)
		pcap_close(ethernet);
	free(e);
	return NULL;
}

void filter_expression_free(struct filter_expression *e)
{
	if (!e)
		return;
	pcap_freecode(&e->program);
	free(e);
}

bool filter_expression_matches(const struct filter_expression *e,
			       const uint8_t *frame, uint32_t bytes)
{
	struct pcap_pkthdr header = { .caplen = bytes, .len = bytes };

	return pcap_offline_filter(&e->program, &header, frame);
}
