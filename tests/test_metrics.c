#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/control.h"
#include "../switch/mac.h"
#include "../switch/metrics.h"
#include "../switch/metrics_values.h"
#include "../switch/stats.h"
#include "../switch/sw.h"

enum { TEXT_BYTES = 64 << 20, ALL_AT_ONCE = TEXT_BYTES };

static struct sw *sw;
static bool gone[PORTS_MAX];
static uint64_t traffic;     /* grows between the pieces of a scrape */
static unsigned ports_read;
static const char *name_format;
static struct latency latency;
static struct mac_counters mac;
static struct loop_counters loop;
static struct control_counters control;
static char *text, *other_text;

/* Everybody has had the same traffic; three frames of ten were too short. */
bool stats_port(const struct sw *from, uint16_t id, struct stats_port *to)
{
	static char name[PORT_NAME_BYTES];

	assert_ptr_equal(from, sw);
	if (gone[id])
		return false;
	ports_read++;
	snprintf(name, sizeof(name), name_format, id);
	*to = (struct stats_port){
		.name = name,
		.kind = "uml",
		.state = "up",
		.counters = { .received = 10 * traffic,
			      .forwarded = 7 * traffic,
			      .drop[DROP_RUNT] = 3 * traffic },
		.latency = id ? &latency : NULL,
	};
	return true;
}

void stats_sums(struct sw *of, struct stats_sums *to)
{
	(void)of;
	*to = (struct stats_sums){ .total = { .received = 10 * traffic },
				   .mac = &mac,
				   .loop = &loop,
				   .control = &control };
}

static int setup(void **state)
{
	(void)state;
	sw = calloc(1, sizeof(*sw));
	text = malloc(TEXT_BYTES);
	other_text = malloc(TEXT_BYTES);
	memset(gone, 0, sizeof(gone));
	memset(&latency, 0, sizeof(latency));
	traffic = 1;
	name_format = "uml%d";
	return !sw || !text || !other_text;
}

static int teardown(void **state)
{
	(void)state;
	free(sw);
	free(text);
	free(other_text);
	return 0;
}

/* Scrape @ports ports in pieces of at most @room bytes into @to, and call
 * @between after each. Returns how many pieces it took. */
static unsigned scrape(uint16_t ports, bool openmetrics, size_t room, char *to,
		       void (*between)(unsigned piece))
{
	struct metrics_scrape *s;
	unsigned pieces = 0;
	size_t used = 0;
	ssize_t bytes;

	sw->ports.id_end = ports;
	s = metrics_scrape_new(sw, openmetrics);
	assert_non_null(s);
	do {
		size_t left = TEXT_BYTES - 1 - used;

		ports_read = 0;
		bytes = metrics_scrape_more(s, to + used,
					    left < room ? left : room);
		assert_in_range(bytes, 0, room);
		assert_in_range(ports_read, 0, METRICS_COPIED_AT_ONCE);
		used += (size_t)bytes;
		if (between)
			between(pieces);
		pieces += bytes > 0;
	} while (bytes > 0);
	metrics_scrape_free(s);
	to[used] = '\0';
	return pieces;
}

/* The value of the one sample that begins with @begin, or -1 if there is none. */
static long long sample(const char *begin)
{
	char line[256];
	const char *found;

	snprintf(line, sizeof(line), "\n%s ", begin);
	found = strstr(text, line);
	if (!found)
		return -1;
	assert_null(strstr(found + 1, line));
	return atoll(found + strlen(line));
}

static long long of_port(const char *name, unsigned id, const char *label)
{
	char begin[192];

	snprintf(begin, sizeof(begin), "ringswitch_port_%s{port=\"uml%u\"%s}",
		 name, id, label);
	return sample(begin);
}

static unsigned count(const char *needle)
{
	unsigned found = 0;

	for (const char *at = text; (at = strstr(at, needle)); at++)
		found++;
	return found;
}

static void thousands_of_ports_are_written_in_pieces(void **state)
{
	(void)state;
	assert_true(scrape(PORTS_MAX, true, 16384, text, NULL) > 500);
	assert_int_equal(count("\nringswitch_port_received_frames_total{"),
			 PORTS_MAX);
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
}

static void pieces_of_any_size_make_the_same_text(void **state)
{
	(void)state;
	scrape(100, true, METRICS_PIECE_MIN, text, NULL);
	/* That of processor time is another each time; cut it off. */
	*strstr(text, "# TYPE ringswitch_cpu") = '\0';
	for (size_t room = METRICS_PIECE_MIN + 1; room < 40000; room += 7001) {
		scrape(100, true, room, other_text, NULL);
		*strstr(other_text, "# TYPE ringswitch_cpu") = '\0';
		assert_string_equal(text, other_text);
	}
}

static void samples_of_a_name_stand_behind_its_head(void **state)
{
	char family[128] = "";

	(void)state;
	scrape(70, true, METRICS_PIECE_MIN, text, NULL);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "# TYPE %127s", family) != 1 && *line != '#')
			assert_memory_equal(line, family, strlen(family));
}

static void more_traffic(unsigned piece)
{
	(void)piece;
	traffic++;
}

static void a_port_s_numbers_are_of_one_moment(void **state)
{
	(void)state;
	scrape(300, true, METRICS_PIECE_MIN, text, more_traffic);
	assert_true(traffic > 100);
	/* Some of all pieces: looking for each takes minutes with sanitizers. */
	for (unsigned id = 0; id < 300; id += 7) {
		long long received = of_port("received_frames_total", id, "");

		assert_true(received > 0);
		assert_int_equal(received,
				 of_port("forwarded_frames_total", id, "") +
					 of_port("dropped_frames_total", id,
						 ",reason=\"runt\""));
	}
}

static void ports_go(unsigned piece)
{
	if (piece == 1)
		memset(gone, true, sizeof(gone));
}

static void a_port_that_goes_is_in_all_of_a_scrape_or_in_none_of_it(void **state)
{
	(void)state;
	scrape(300, true, METRICS_PIECE_MIN, text, ports_go);
	assert_int_equal(count("\nringswitch_port_info{"),
			 2 * METRICS_COPIED_AT_ONCE);
	assert_int_equal(count("\nringswitch_port_queued_frames{"),
			 2 * METRICS_COPIED_AT_ONCE);
	assert_int_equal(count("\nringswitch_latency_seconds_count{"),
			 2 * METRICS_COPIED_AT_ONCE);
	assert_int_equal(of_port("received_frames_total", 0, ""), 10);
	assert_int_equal(of_port("received_frames_total", 299, ""), -1);
}

static void ports_come(unsigned piece)
{
	if (piece == 5)
		sw->ports.id_end = 400;
}

static void ports_that_come_do_not_push_others_out(void **state)
{
	(void)state;
	memset(gone, true, 100 * sizeof(*gone));
	scrape(300, true, METRICS_PIECE_MIN, text, ports_come);
	assert_int_equal(of_port("received_frames_total", 299, ""), 10);
	assert_int_equal(of_port("received_frames_total", 399, ""), 10);
}

static void a_switch_without_ports_is_scraped_as_well(void **state)
{
	(void)state;
	assert_true(scrape(0, true, 16384, text, NULL) > 0);
	assert_int_equal(sample("ringswitch_received_frames_total"), 10);
	assert_int_equal(count("{port="), 0);
}

static void buckets_count_those_below_them(void **state)
{
	(void)state;
	latency = (struct latency){ .samples = 9, .sum_ns = 5120000023 };
	latency.bucket[0] = 2;
	latency.bucket[1] = 3;
	latency.bucket[LATENCY_BUCKETS - 1] = 4;
	scrape(2, true, 16384, text, NULL);
	assert_int_equal(sample("ringswitch_latency_seconds_bucket{port=\"uml1\",le=\"1.024e-06\"}"), 2);
	assert_int_equal(sample("ringswitch_latency_seconds_bucket{port=\"uml1\",le=\"2.048e-06\"}"), 5);
	assert_int_equal(sample("ringswitch_latency_seconds_bucket{port=\"uml1\",le=\"0.268435456\"}"), 5);
	assert_int_equal(sample("ringswitch_latency_seconds_bucket{port=\"uml1\",le=\"+Inf\"}"), 9);
	assert_int_equal(sample("ringswitch_latency_seconds_count{port=\"uml1\"}"), 9);
	assert_non_null(strstr(text, "_sum{port=\"uml1\"} 5.120000023\n"));
	/* One that has not been timed has none. */
	assert_int_equal(sample("ringswitch_latency_seconds_count{port=\"uml0\"}"), 0);
}

static void names_cannot_break_out_of_their_quotes(void **state)
{
	(void)state;
	name_format = "a\"b\\c\nd%d";
	scrape(1, true, 16384, text, NULL);
	assert_non_null(strstr(text, "{port=\"a\\\"b\\\\c\\nd0\"}"));
	assert_null(strstr(text, "a\"b"));
}

static void the_older_format_says_what_it_can(void **state)
{
	(void)state;
	scrape(1, false, 16384, text, NULL);
	assert_int_equal(count("# UNIT"), 0);
	assert_int_equal(count("# EOF"), 0);
	assert_non_null(strstr(text, "# TYPE ringswitch_port_received_frames_total counter\n"));
	assert_non_null(strstr(text, "# TYPE ringswitch_port_info gauge\n"));
	scrape(1, true, 16384, text, NULL);
	assert_non_null(strstr(text, "# TYPE ringswitch_port_received_frames counter\n"));
	assert_non_null(strstr(text, "# TYPE ringswitch_port info\n"));
}

/* rrdcreate(1): a data source's name. */
static bool fits_an_rrd(const char *word)
{
	return strlen(word) <= 19 &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyz_") == strlen(word);
}

static void every_word_fits_an_rrd(void **state)
{
	char word[64];

	(void)state;
	for (int i = 0; i < METRICS_PORT_VALUES; i++)
		assert_true(fits_an_rrd(metrics_port_values[i].word));
	for (int i = 0; i < METRICS_SWITCH_VALUES; i++)
		assert_true(fits_an_rrd(metrics_switch_values[i].word));
	for (int i = 0; i < DROP_COUNT; i++) {
		snprintf(word, sizeof(word), "drop_%s", drop_names[i]);
		assert_true(fits_an_rrd(word));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(thousands_of_ports_are_written_in_pieces),
		TEST(pieces_of_any_size_make_the_same_text),
		TEST(samples_of_a_name_stand_behind_its_head),
		TEST(a_port_s_numbers_are_of_one_moment),
		TEST(a_port_that_goes_is_in_all_of_a_scrape_or_in_none_of_it),
		TEST(ports_that_come_do_not_push_others_out),
		TEST(a_switch_without_ports_is_scraped_as_well),
		TEST(buckets_count_those_below_them),
		TEST(names_cannot_break_out_of_their_quotes),
		TEST(the_older_format_says_what_it_can),
		TEST(every_word_fits_an_rrd),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
