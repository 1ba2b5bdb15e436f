/*
 * The built-in programs where they run, in the kernel, by its test runs: what
 * they do with a frame is what is done here with it, with the same code.
 */
#include "test.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "filter.skel.h"
#include "filter_case.h"
#include "filter_random.h"

enum {
	ROOM = 1 << 18, /* lines of a set */
	ETHERNET_BYTES_HERE = 14,
	SAMPLES_MAX = 4096,
};

/* The programs, and the memory that is shared with them. */
static struct filter_bpf *skeleton;
static struct filter_line *lines;
static struct ring_buffer *ring;
static struct filter_sample samples[SAMPLES_MAX];
static uint32_t sample_count;
static char no_bpf[256]; /* why there are none */

static int be_quiet(enum libbpf_print_level level, const char *format,
		    va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int take_sample(void *context, void *data, size_t bytes)
{
	(void)context;
	assert_in_range(bytes, sizeof(struct filter_sample),
			sizeof(struct filter_sample) + 8);
	assert_in_range(sample_count, 0, SAMPLES_MAX - 1);
	memcpy(&samples[sample_count++], data, sizeof(struct filter_sample));
	return 0;
}

/* Where the kernel will not have any BPF of ours, there is nothing to test; but
 * what its verifier says about ours is to be seen. */
static int load(void **state)
{
	int err;

	(void)state;
	libbpf_set_print(be_quiet);
	skeleton = filter_bpf__open();
	assert_non_null(skeleton);
	bpf_map__set_max_entries(skeleton->maps.lines, 2 * ROOM);
	err = filter_bpf__load(skeleton);
	if (err == -EPERM || err == -ENOSYS) {
		snprintf(no_bpf, sizeof(no_bpf),
			 "the kernel loads no BPF for us: %s", strerror(-err));
		filter_bpf__destroy(skeleton);
		return 0;
	}
	if (err) {
		print_error("the programs are refused: %s\n", strerror(-err));
		return -1;
	}
	lines = mmap(NULL, 2 * ROOM * sizeof(*lines), PROT_READ | PROT_WRITE,
		     MAP_SHARED, bpf_map__fd(skeleton->maps.lines), 0);
	ring = ring_buffer__new(bpf_map__fd(skeleton->maps.samples),
				take_sample, NULL, NULL);
	return lines == MAP_FAILED || !ring ? -1 : 0;
}

static int unload(void **state)
{
	(void)state;
	if (*no_bpf)
		return 0;
	ring_buffer__free(ring);
	munmap(lines, 2 * ROOM * sizeof(*lines));
	filter_bpf__destroy(skeleton);
	return 0;
}

static void need_bpf(void)
{
	if (!*no_bpf)
		return;
	print_message("skipped: %s\n", no_bpf);
	skip();
}

/* Rules in the kernel ------------------------------------------------------- */

/* The set in force, which changes each time. */
static struct filter_line *in_force(void)
{
	return lines + skeleton->bss->in_force;
}

static struct filter_rule *rule_line(uint32_t at)
{
	return &in_force()[at].rule;
}

static struct filter_rule *rule_at(const struct filter_case *c,
				   enum filter_direction direction,
				   uint32_t statement)
{
	return rule_line(c->table->rule_at[direction][statement]);
}

static void put_in_force(const struct filter_case *c)
{
	uint32_t next = skeleton->bss->in_force ? 0 : ROOM;

	assert_in_range(c->table->count, 1, ROOM);
	memcpy(lines + next, c->table->lines,
	       c->table->count * sizeof(*lines));
	skeleton->bss->in_force = next;
	ring_buffer__consume(ring);
	sample_count = 0;
}

static struct filter_case rules_in_force(const char *text)
{
	struct filter_case c = filter_case_read(strdup(text));

	put_in_force(&c);
	return c;
}

/* Running ------------------------------------------------------------------- */

/* XDP: the frame in, and what has become of it out. */
static bool to_host_drops(const struct make_frame *m, struct make_frame *out)
{
	struct bpf_test_run_opts run = {
		.sz = sizeof(run),
		.data_in = m->bytes,
		.data_size_in = m->length,
		.data_out = out->bytes,
		.data_size_out = sizeof(out->bytes),
		.repeat = 1,
	};

	if (bpf_prog_test_run_opts(
		    bpf_program__fd(skeleton->progs.to_host), &run))
		fail_msg("cannot run XDP: %s", strerror(errno));
	out->length = run.data_size_out;
	assert_true(run.retval == XDP_DROP || run.retval == XDP_PASS);
	return run.retval == XDP_DROP;
}

/* The kernel takes an Ethernet header off before it runs a socket filter, so it
 * gets another one in front. */
static bool to_guests_drops(const struct make_frame *m)
{
	uint8_t framed[ETHERNET_BYTES_HERE + MAKE_BYTES] = { 0 };
	struct bpf_test_run_opts run = {
		.sz = sizeof(run),
		.data_in = framed,
		.data_size_in = ETHERNET_BYTES_HERE + m->length,
		.repeat = 1,
	};

	memcpy(framed + ETHERNET_BYTES_HERE, m->bytes, m->length);
	if (bpf_prog_test_run_opts(
		    bpf_program__fd(skeleton->progs.to_guests), &run))
		fail_msg("cannot run a socket filter: %s", strerror(errno));
	/* All of the frame, or nothing. */
	assert_true(!run.retval || run.retval >= m->length);
	return !run.retval;
}

static bool kernel_drops(enum filter_direction direction,
			 const struct make_frame *m)
{
	struct make_frame out;

	return direction == FILTER_TO_HOST ? to_host_drops(m, &out)
					   : to_guests_drops(m);
}

/* As we and the model do ---------------------------------------------------- */

/* What passes to the host is translated as we translate. */
static bool run_to_host(const struct filter_case *c,
			const struct make_frame *m, uint64_t seed)
{
	struct make_frame out, translated = *m;

	if (to_host_drops(m, &out))
		return true;
	filter_view_translate(&c->view, FILTER_TO_HOST, translated.bytes,
			      translated.length);
	assert_int_equal(out.length, m->length);
	if (memcmp(out.bytes, translated.bytes, m->length)) {
		filter_case_print_frame("frame ", m);
		filter_case_print_frame("kernel", &out);
		filter_case_print_frame("we    ", &translated);
		fail_msg("they differ; seed %llu", (unsigned long long)seed);
	}
	return false;
}

static void run(const struct filter_case *c, enum filter_direction direction,
		const struct make_frame *m, uint64_t seed)
{
	struct filter_verdict model;
	bool drops = direction == FILTER_TO_HOST ? run_to_host(c, m, seed)
						 : to_guests_drops(m);

	model.drop = model_drops(c->model, direction, m->bytes, m->length,
				 &model.line);
	if (drops == model.drop)
		return;
	filter_case_print_frame(filter_direction_names[direction], m);
	filter_case_print(c, "model", model);
	fail_msg("the kernel does not; seed %llu", (unsigned long long)seed);
}

static void check_counter(const struct filter_case *c,
			  enum filter_direction direction, uint32_t at,
			  uint32_t line, uint64_t seed)
{
	struct model_count wanted = model_count(c->model, direction, line);
	const struct filter_rule *r;

	if (!at)
		return;
	r = rule_line(at);
	assert_true(r->line == line || line == MODEL_HIDDEN);
	if (r->frames == wanted.frames && r->bytes == wanted.bytes)
		return;
	filter_case_print(c, filter_direction_names[direction],
			  (struct filter_verdict){ .line = line });
	fail_msg("%llu frames, %llu bytes; the model has %llu, %llu; seed %llu",
		 (unsigned long long)r->frames, (unsigned long long)r->bytes,
		 (unsigned long long)wanted.frames,
		 (unsigned long long)wanted.bytes, (unsigned long long)seed);
}

/* All that has been counted, in each direction. */
static void check_counters(const struct filter_case *c, uint64_t seed)
{
	uint32_t n = c->rules->statement_count;

	for (int i = 0; i < FILTER_DIRECTIONS; i++) {
		enum filter_direction d = (enum filter_direction)i;

		for (uint32_t s = 0; s < n; s++)
			check_counter(c, d, c->table->rule_at[d][s],
				      c->rules->statements[s].line, seed);
		check_counter(c, d, c->table->rule_at[d][n],
			      c->rules->default_line[d], seed);
		check_counter(c, d, c->table->unseen_at[d], MODEL_HIDDEN, seed);
	}
}

/* The model knows of no limits, so none is reached. */
static void lift_limits(const struct filter_case *c)
{
	for (int d = 0; d < FILTER_DIRECTIONS; d++)
		for (uint32_t i = 0; i < c->rules->statement_count; i++) {
			uint32_t at = c->table->rule_at[d][i];

			if (at)
				c->table->lines[at].rule.burst_ns =
					INT64_MAX;
		}
}

static void the_kernel_does_what_the_words_say_and_counts_it(void **state)
{
	enum { FILES = 150, FRAMES = 200, LINES = 30, LINES_OF_LARGE = 800 };

	(void)state;
	need_bpf();
	for (uint64_t seed = 1; seed <= FILES; seed++) {
		struct dice d = { seed };
		uint32_t most = seed % 25 ? LINES : LINES_OF_LARGE;
		struct filter_case c =
			filter_case_read(random_rules(&d, dice_roll(&d, most)));

		lift_limits(&c);
		put_in_force(&c);
		for (int i = 0; i < FRAMES; i++) {
			struct make_frame m;

			random_frame(&d, &m);
			run(&c, i % 2 ? FILTER_TO_HOST : FILTER_TO_GUESTS, &m,
			    seed);
		}
		check_counters(&c, seed);
		filter_case_free(&c);
	}
}

/* A frame -------------------------------------------------------------------- */

static void make_packet(struct make_frame *m, unsigned port, uint32_t bytes)
{
	uint32_t ip, udp;

	m->length = 0;
	make_ethernet(m, 0x020000000001, 0x020000000002);
	make_16(m, 0x0800);
	ip = make_ipv4(m, &(struct make_ipv4){ .src = 0x0a000001,
					       .dst = 0x0a000002,
					       .protocol = 17 });
	udp = make_udp(m, 1024, port);
	make_pattern(m, bytes - m->length);
	make_end_udp(m, ip, udp);
	make_end_ipv4(m, ip);
}

static void sixteen_thousand_rules_are_walked_through(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	assert_non_null(to);
	for (int i = 0; i < FILTER_RULES; i++)
		fprintf(to, "%s dst 10.%d.%d.0/24 dst-port %d-%d\n",
			i % 2 ? "accept" : "drop", i / 256, i % 256, i, i + 9);
	assert_int_equal(fclose(to), 0);
	c = filter_case_read(text);
	put_in_force(&c);
	for (uint32_t i = 0; i < FILTER_RULES; i += 7) {
		make_packet(&m, i + i % 11, 60);
		m.bytes[31] = (uint8_t)(i / 256);
		m.bytes[32] = (uint8_t)i;
		run(&c, i % 2 ? FILTER_TO_HOST : FILTER_TO_GUESTS, &m, i);
	}
	check_counters(&c, 0);
	filter_case_free(&c);
}

static void a_set_is_replaced_as_a_whole(void **state)
{
	struct make_frame m;

	(void)state;
	need_bpf();
	make_packet(&m, 53, 60);
	for (int i = 0; i < 6; i++) {
		struct filter_case c = rules_in_force(
			i % 2 ? "drop dst-port 53\n" : "default to-host drop\n"
						       "accept dst-port 53\n");

		assert_int_equal(kernel_drops(FILTER_TO_HOST, &m), i % 2);
		assert_int_equal(kernel_drops(FILTER_TO_GUESTS, &m), i % 2);
		assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->frames, 1);
		filter_case_free(&c);
	}
}

/* Nothing is looked at then, and yet it counts, and tells of what it drops. */
static void without_rules_the_default_decides(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	make_packet(&m, 53, 60);
	c = rules_in_force("default to-host drop\n");
	assert_true(kernel_drops(FILTER_TO_HOST, &m));
	assert_false(kernel_drops(FILTER_TO_GUESTS, &m));
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->frames, 1);
	assert_int_equal(rule_at(&c, FILTER_TO_GUESTS, 0)->bytes, 60);
	ring_buffer__consume(ring);
	assert_int_equal(sample_count, 1);
	assert_int_equal(samples[0].line, 1);
	assert_memory_equal(samples[0].frame, m.bytes, 60);
	filter_case_free(&c);
}

static void a_translation_counts_in_its_direction(void **state)
{
	struct filter_case c;
	struct make_frame m, out;
	uint32_t at;

	(void)state;
	need_bpf();
	c = rules_in_force("translate 10.0.0.1 <-> 192.0.2.1\n"
			   "drop dst-port 54\n");
	at = c.table->name_at[FILTER_TO_HOST][0];
	make_packet(&m, 53, 100);
	assert_false(to_host_drops(&m, &out));
	assert_int_equal(make_get_16(&out, 26), 0xc000);
	assert_int_equal(rule_line(at)->frames, 1);
	assert_int_equal(rule_line(at)->bytes, 100);
	/* What is dropped is not translated, nor what is read by us. */
	make_packet(&m, 54, 100);
	assert_true(to_host_drops(&m, &out));
	assert_int_equal(rule_line(at)->frames, 1);
	at = c.table->name_at[FILTER_TO_GUESTS][0];
	assert_int_equal(rule_line(at)->frames, 0);
	filter_case_free(&c);
}

/* Counting ------------------------------------------------------------------- */

/* One list is one rule, whatever it is compiled to. */
static void a_frame_counts_once_in_a_rule(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force(
		"count src-mac 02:00:00:00:00:00/24,"
		"02:00:00:00:00:02/ff:00:00:00:00:ff,"
		"00:00:00:00:00:02/00:00:00:00:00:ff\n"
		"accept\n");
	make_packet(&m, 53, 60);
	for (int i = 0; i < 5; i++)
		assert_false(kernel_drops(FILTER_TO_HOST, &m));
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->frames, 5);
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->bytes, 300);
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 1)->frames, 5);
	filter_case_free(&c);
}

/* However many rules lie between what a list is compiled to. */
static void a_frame_counts_once_in_each_of_many_rules(void **state)
{
	enum { COUNTING = 300 };
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	assert_non_null(to);
	for (int i = 0; i < COUNTING; i++)
		fputs("count src-mac 02:00:00:00:00:02,"
		      "02:00:00:00:00:02/ff:00:00:00:00:ff\n",
		      to);
	assert_int_equal(fclose(to), 0);
	c = filter_case_read(text);
	put_in_force(&c);
	make_packet(&m, 53, 60);
	assert_false(kernel_drops(FILTER_TO_HOST, &m));
	for (uint32_t i = 0; i < COUNTING; i++)
		assert_int_equal(rule_at(&c, FILTER_TO_HOST, i)->frames, 1);
	filter_case_free(&c);
}

/* `count` rules that match, more than are counted for one frame: the verdict is
 * that of the rule below, and as many as promised have counted. */
static void many_rules_to_count_do_not_change_the_verdict(void **state)
{
	enum { COUNTING = 2000, PROMISED = 200 };
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	struct filter_case c;
	struct make_frame m;
	uint32_t counted = 0;

	(void)state;
	need_bpf();
	assert_non_null(to);
	for (int i = 0; i < COUNTING; i++)
		fputs("count protocol udp\n", to);
	fputs("drop dst-port 53\n", to);
	assert_int_equal(fclose(to), 0);
	c = filter_case_read(text);
	put_in_force(&c);
	make_packet(&m, 53, 60);
	assert_true(kernel_drops(FILTER_TO_HOST, &m));
	make_packet(&m, 54, 60);
	assert_false(kernel_drops(FILTER_TO_GUESTS, &m));
	for (uint32_t i = 0; i < COUNTING; i++) {
		uint64_t frames = rule_at(&c, FILTER_TO_HOST, i)->frames;

		assert_in_range(frames, 0, 1);
		if (i < PROMISED)
			assert_int_equal(frames, 1);
		counted += frames == 1;
	}
	assert_in_range(counted, PROMISED, COUNTING);
	filter_case_free(&c);
}

/* Limits --------------------------------------------------------------------- */

static uint32_t passed(enum filter_direction direction,
		       const struct make_frame *m, uint32_t frames)
{
	uint32_t count = 0;

	while (frames--)
		count += !kernel_drops(direction, m);
	return count;
}

/* As if it were later: the bucket has been filled that much longer ago. */
static void let_pass(struct filter_rule *r, uint64_t ns)
{
	r->full_ns -= ns;
}

static void a_burst_may_be_one_frame(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force("rate-limit 1 bit/s burst 100 bytes\n");
	make_packet(&m, 53, 101);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 5), 0);
	make_packet(&m, 53, 100);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 5), 1);
	filter_case_free(&c);
}

/* A bit a second: nothing drains while this runs. */
static void a_burst_in_bytes_is_exact(void **state)
{
	const uint64_t second_ns = 1000000000;
	struct filter_case c;
	struct filter_rule *r;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force("rate-limit 1 bit/s burst 500 bytes to-host\n"
			   "rate-limit 1 bit/s burst 1 kB\n");
	make_packet(&m, 53, 100);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 20), 5);
	r = rule_at(&c, FILTER_TO_HOST, 0);
	assert_int_equal(r->frames, 20);
	assert_int_equal(r->bytes, 2000);
	assert_int_equal(r->over, 15);
	/* 250 bytes later: two frames, and one that is short. */
	let_pass(r, 250 * 8 * second_ns);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 20), 2);
	make_packet(&m, 53, 60);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 20), 0);
	make_packet(&m, 53, 50);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 20), 1);
	/* The other direction has its own, in a rule of its own. */
	make_packet(&m, 53, 100);
	assert_int_equal(passed(FILTER_TO_GUESTS, &m, 20), 10);
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 1)->frames, 0);
	filter_case_free(&c);
}

/* Frames that pass do not wait: a bucket is not more than full. */
static void after_a_long_time_it_is_one_burst_again(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force("rate-limit 1 bit/s burst 500 bytes\n");
	make_packet(&m, 53, 100);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 20), 5);
	rule_at(&c, FILTER_TO_HOST, 0)->full_ns = 1;
	assert_int_equal(passed(FILTER_TO_HOST, &m, 20), 5);
	filter_case_free(&c);
}

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

/* A packet a second may pass besides, if this takes that long. */
static void a_burst_in_packets_is_exact(void **state)
{
	const uint64_t second_ns = 1000000000;
	struct filter_case c;
	struct make_frame m;
	uint64_t from_s = now_s();
	uint32_t count;

	(void)state;
	need_bpf();
	c = rules_in_force("rate-limit 1 packets/s burst 20 packets dst-port 53\n"
			   "default to-host drop\n");
	make_packet(&m, 53, 1500);
	count = passed(FILTER_TO_HOST, &m, 50);
	assert_in_range(count, 20, 20 + now_s() - from_s + 1);
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->over, 50 - count);
	from_s = now_s();
	let_pass(rule_at(&c, FILTER_TO_HOST, 0), 7 * second_ns);
	count = passed(FILTER_TO_HOST, &m, 50);
	assert_in_range(count, 7, 7 + now_s() - from_s + 1);
	/* What does not match is no part of it. */
	make_packet(&m, 54, 60);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 5), 0);
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->frames, 100);
	filter_case_free(&c);
}

/* Samples -------------------------------------------------------------------- */

static void a_dropped_frame_is_told_of(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force("count\n"
			   "drop to-host dst-port 53\n"
			   "drop to-guests dst-port 53\n");
	make_packet(&m, 53, 200);
	assert_true(kernel_drops(FILTER_TO_HOST, &m));
	make_packet(&m, 53, 45);
	assert_true(kernel_drops(FILTER_TO_GUESTS, &m));
	ring_buffer__consume(ring);
	assert_int_equal(sample_count, 2);
	assert_int_equal(samples[0].line, 2);
	assert_int_equal(samples[0].direction, FILTER_TO_HOST);
	assert_int_equal(samples[0].frame_bytes, 200);
	assert_int_equal(samples[0].taken, FILTER_SAMPLE_BYTES);
	assert_int_equal(samples[1].line, 3);
	assert_int_equal(samples[1].direction, FILTER_TO_GUESTS);
	assert_int_equal(samples[1].frame_bytes, 45);
	assert_int_equal(samples[1].taken, 45);
	assert_memory_equal(samples[1].frame, m.bytes, 45);
	assert_true(samples[0].ns && samples[1].ns >= samples[0].ns);
	make_packet(&m, 53, 200);
	assert_memory_equal(samples[0].frame, m.bytes, FILTER_SAMPLE_BYTES);
	filter_case_free(&c);
}

static void what_is_over_a_limit_is_told_of_and_what_passes_is_not(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force("rate-limit 1 bit/s burst 200 bytes\n");
	make_packet(&m, 53, 100);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 2), 2);
	ring_buffer__consume(ring);
	assert_int_equal(sample_count, 0);
	assert_int_equal(passed(FILTER_TO_HOST, &m, 1), 0);
	ring_buffer__consume(ring);
	assert_int_equal(sample_count, 1);
	assert_int_equal(samples[0].line, 1);
	filter_case_free(&c);
}

static void samples_are_few(void **state)
{
	enum { FRAMES = 2000 };
	struct filter_case c;
	struct make_frame m;
	uint64_t from_s = now_s();

	(void)state;
	need_bpf();
	c = rules_in_force("default to-host drop\n");
	make_packet(&m, 53, 100);
	assert_int_equal(passed(FILTER_TO_HOST, &m, FRAMES), 0);
	ring_buffer__consume(ring);
	assert_in_range(sample_count, FILTER_SAMPLES_AT_ONCE,
			FILTER_SAMPLES_AT_ONCE +
				(now_s() - from_s + 1) * FILTER_SAMPLES_PER_S);
	filter_case_free(&c);
}

/* Nobody reads: the programs go on. */
static void a_full_ring_of_samples_hurts_nobody(void **state)
{
	struct filter_case c;
	struct make_frame m;

	(void)state;
	need_bpf();
	c = rules_in_force("default to-host drop\n");
	make_packet(&m, 53, 100);
	for (int i = 0; i < 1500; i++) {
		in_force()[FILTER_TO_HOST].header.sampled_ns = 0;
		assert_true(kernel_drops(FILTER_TO_HOST, &m));
	}
	assert_int_equal(rule_at(&c, FILTER_TO_HOST, 0)->frames, 1500);
	ring_buffer__consume(ring);
	assert_in_range(sample_count, 100, 1499);
	filter_case_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_does_what_the_words_say_and_counts_it),
		cmocka_unit_test(sixteen_thousand_rules_are_walked_through),
		cmocka_unit_test(a_set_is_replaced_as_a_whole),
		cmocka_unit_test(without_rules_the_default_decides),
		cmocka_unit_test(a_translation_counts_in_its_direction),
		cmocka_unit_test(a_frame_counts_once_in_a_rule),
		cmocka_unit_test(a_frame_counts_once_in_each_of_many_rules),
		cmocka_unit_test(many_rules_to_count_do_not_change_the_verdict),
		cmocka_unit_test(a_burst_may_be_one_frame),
		cmocka_unit_test(a_burst_in_bytes_is_exact),
		cmocka_unit_test(after_a_long_time_it_is_one_burst_again),
		cmocka_unit_test(a_burst_in_packets_is_exact),
		cmocka_unit_test(a_dropped_frame_is_told_of),
		cmocka_unit_test(what_is_over_a_limit_is_told_of_and_what_passes_is_not),
		cmocka_unit_test(samples_are_few),
		cmocka_unit_test(a_full_ring_of_samples_hurts_nobody),
	};

	return cmocka_run_group_tests_name("filter_bpf", tests, load, unload);
}
