#include "metrics_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "handover.h"
#include "kept.h"
#include "metrics.h"
#include "metrics_listen.h"
#include "metrics_words.h"
#include "opener.h"
#include "socket_file.h"
#include "sw.h"

#define PLAIN "text/plain; charset=utf-8"

struct client {
	int fd; /* -1: this place is free */
	uint64_t turn; /* in which it has last done something */
	bool leaving;
};

struct metrics {
	struct sw *sw;
	struct MHD_Daemon *daemon;
	struct socket_file file; /* listens; has no path if it is TCP's */
	int timer_fd;
	int epoll_fd;		 /* of these two and of the daemon's own */
	uint64_t accept_at_ms;	 /* 0: now, and the listener is in epoll_fd */
	uint64_t turn;
	unsigned client_count; /* those that are leaving included */
	struct client clients[METRICS_CLIENTS_MAX + METRICS_ACCEPT_MAX];
};

/* The text of a scrape on its way to a client. */
struct reading {
	struct metrics *metrics;
	struct client *client;
	struct metrics_scrape *scrape;
	size_t used, given; /* of text */
	char text[METRICS_PIECE_BYTES];
};

static struct client *client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static void is_active(struct metrics *m, struct client *c)
{
	if (c)
		c->turn = ++m->turn;
}

static ssize_t read_text(void *of, uint64_t position, char *to, size_t room)
{
	struct reading *r = of;

	(void)position;
	is_active(r->metrics, r->client);
	if (r->given == r->used) {
		ssize_t more = metrics_scrape_more(r->scrape, r->text,
						   sizeof(r->text));

		if (more < 0)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (!more)
			return MHD_CONTENT_READER_END_OF_STREAM;
		r->used = (size_t)more;
		r->given = 0;
	}
	if (room > r->used - r->given)
		room = r->used - r->given;
	memcpy(to, r->text + r->given, room);
	r->given += room;
	return (ssize_t)room;
}

static void end_reading(void *of)
{
	struct reading *r = of;

	metrics_scrape_free(r->scrape);
	free(r);
}

static enum MHD_Result queue(struct MHD_Connection *connection,
			     unsigned status, const char *type,
			     struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					"GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status,
			   const char *text)
{
	return queue(connection, status, PLAIN,
		     MHD_create_response_from_buffer(strlen(text),
						     (void *)(uintptr_t)text,
						     MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result give_words(struct metrics *m,
				  struct MHD_Connection *connection,
				  const char *port)
{
	char line[METRICS_WORDS_BYTES];
	size_t bytes = metrics_words(m->sw, port, line);

	if (!bytes)
		return say(connection, MHD_HTTP_NOT_FOUND,
			   "no such port: /metrics has the names of all\n");
	return queue(connection, MHD_HTTP_OK, PLAIN,
		     MHD_create_response_from_buffer(bytes, line,
						     MHD_RESPMEM_MUST_COPY));
}

/* Prometheus says in each request what it understands. */
static bool wants_openmetrics(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strcasestr(accept, "application/openmetrics-text");
}

static enum MHD_Result give_metrics(struct metrics *m,
				    struct MHD_Connection *connection)
{
	bool openmetrics = wants_openmetrics(connection);
	struct reading *r = malloc(sizeof(*r));
	struct MHD_Response *response;

	if (!r)
		return MHD_NO;
	*r = (struct reading){ .metrics = m, .client = client_of(connection) };
	r->scrape = metrics_scrape_new(m->sw, openmetrics);
	if (!r->scrape) {
		free(r);
		return MHD_NO;
	}
	response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, METRICS_PIECE_BYTES, read_text, r,
		end_reading);
	if (!response)
		end_reading(r);
	return queue(connection, MHD_HTTP_OK,
		     openmetrics
			     ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			     : "text/plain; version=0.0.4; charset=utf-8",
		     response);
}

static enum MHD_Result give(struct metrics *m,
			    struct MHD_Connection *connection, const char *url)
{
	if (!strcmp(url, "/metrics"))
		return give_metrics(m, connection);
	if (!strcmp(url, "/words"))
		return give_words(m, connection, NULL);
	if (!strncmp(url, "/words/", strlen("/words/")))
		return give_words(m, connection, url + strlen("/words/"));
	if (!strcmp(url, "/"))
		return say(connection, MHD_HTTP_OK,
			   "ringswitch: /metrics is for Prometheus, /words and /words/PORT for RRD pollers\n");
	return say(connection, MHD_HTTP_NOT_FOUND,
		   "no such page: there are /metrics, /words and /words/PORT\n");
}

/*
 * Called when the head of a request is there, with each part of a body, which
 * is of no use here, and when all is there. An answer before that ends the
 * connection.
 */
static enum MHD_Result answer(void *of, struct MHD_Connection *connection,
			      const char *url, const char *method,
			      const char *version, const char *body,
			      size_t *body_bytes, void **request)
{
	bool is_first = !*request;

	(void)version;
	(void)body;
	is_active(of, client_of(connection));
	if (strcmp(method, MHD_HTTP_METHOD_GET) &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD))
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			   "there is nothing but GET\n");
	*request = of;
	if (!is_first && !*body_bytes)
		return give(of, connection, url);
	*body_bytes = 0;
	return MHD_YES;
}

/* The daemon's connections come and go. */
static void note_client(void *of, struct MHD_Connection *connection,
			void **context,
			enum MHD_ConnectionNotificationCode what)
{
	struct metrics *m = of;
	struct client *c = *context ? *context : m->clients;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		c->fd = -1;
		m->client_count--;
		return;
	}
	/* accept_clients() leaves one free. */
	while (c->fd >= 0)
		c++;
	*c = (struct client){
		.fd = MHD_get_connection_info(connection,
					      MHD_CONNECTION_INFO_CONNECTION_FD)
			      ->connect_fd,
	};
	is_active(m, c);
	m->client_count++;
	*context = c;
}

/* End the connection that has done nothing for longest. Returns whether there
 * was one. */
static bool make_room(struct metrics *m)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < sizeof(m->clients) / sizeof(*m->clients); i++) {
		struct client *c = &m->clients[i];

		if (c->fd >= 0 && !c->leaving &&
		    (!oldest || c->turn < oldest->turn))
			oldest = c;
	}
	if (!oldest)
		return false;
	/* The daemon sees that in its turn, and closes it. */
	shutdown(oldest->fd, SHUT_RDWR);
	oldest->leaving = true;
	return true;
}

static void watch_listener(struct metrics *m, bool accepting)
{
	struct epoll_event event = { .events = accepting ? EPOLLIN : 0 };

	epoll_ctl(m->epoll_fd, EPOLL_CTL_MOD, m->file.fd, &event);
	m->accept_at_ms = accepting ? 0 : m->sw->now_ms + METRICS_PAUSE_MS;
}

/*
 * We accept ourselves: the daemon would try in vain without pause when there are
 * no descriptors, would let those who say nothing keep everybody else out, and
 * takes a UNIX socket's address for one of at most 28 bytes.
 */
static void accept_clients(struct metrics *m)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNIX };

	if (m->accept_at_ms && m->sw->now_ms >= m->accept_at_ms)
		watch_listener(m, true);
	for (int i = 0; i < METRICS_ACCEPT_MAX && !m->accept_at_ms; i++) {
		int fd;

		if (m->client_count ==
		    sizeof(m->clients) / sizeof(*m->clients))
			return;
		fd = accept4(m->file.fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno != EAGAIN && errno != ECONNABORTED &&
			    errno != EINTR && !make_room(m))
				watch_listener(m, false);
			return;
		}
		socket_refuse_descriptors(fd);
		if (m->client_count >= METRICS_CLIENTS_MAX)
			make_room(m);
		/* Closes it if that fails. */
		MHD_add_connection(m->daemon, fd, &nobody, sizeof(nobody));
	}
}

static bool watch(int epoll_fd, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static bool start_daemon(struct metrics *m)
{
	const union MHD_DaemonInfo *info;

	m->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer,
		m, MHD_OPTION_NOTIFY_CONNECTION, note_client, m,
		MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(METRICS_CLIENTS_MAX + METRICS_ACCEPT_MAX),
		MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)METRICS_CLIENT_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)METRICS_CLIENT_BYTES, MHD_OPTION_END);
	if (!m->daemon)
		return false;
	info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	m->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_NONBLOCK | TFD_CLOEXEC);
	return info && m->epoll_fd >= 0 && m->timer_fd >= 0 &&
	       watch(m->epoll_fd, info->epoll_fd) &&
	       watch(m->epoll_fd, m->timer_fd) &&
	       watch(m->epoll_fd, m->file.fd);
}

int metrics_open(struct sw *sw, const struct metrics_options *o, char *why,
		 size_t why_bytes)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int err = -ENOMEM;

	if (!m) {
		snprintf(why, why_bytes, "--metrics: out of memory");
		return err;
	}
	m->sw = sw;
	m->file.fd = m->timer_fd = m->epoll_fd = -1;
	for (size_t i = 0; i < sizeof(m->clients) / sizeof(*m->clients); i++)
		m->clients[i].fd = -1;
	sw->metrics = m;
	err = handover_take_socket(sw, KEPT_METRICS, &m->file)
		      ? 0
		      : metrics_listen(o, &m->file, why, why_bytes);
	if (!err)
		handover_keep_socket(sw, KEPT_METRICS, "metrics", &m->file);
	if (!err && !start_daemon(m)) {
		err = errno ? -errno : -ENOMEM;
		snprintf(why, why_bytes, "--metrics: HTTP server: %s",
			 strerror(-err));
	}
	if (err)
		metrics_close(sw);
	else
		loop_file_add(&sw->loop, m->epoll_fd);
	return err;
}

void metrics_close(struct sw *sw)
{
	struct metrics *m = sw->metrics;

	if (!m)
		return;
	if (m->daemon)
		MHD_stop_daemon(m->daemon);
	if (m->timer_fd >= 0)
		close(m->timer_fd);
	loop_file_remove(&sw->loop, m->epoll_fd);
	if (m->epoll_fd >= 0)
		close(m->epoll_fd);
	opener_close_file(sw_opener(sw), &m->file);
	free(m);
	sw->metrics = NULL;
}

int metrics_fd(const struct sw *sw)
{
	return sw->metrics ? sw->metrics->epoll_fd : -1;
}

/* In how many ms there is something to do again, at the latest; UINT64_MAX: never. */
static uint64_t pause_ms(const struct metrics *m)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	uint64_t ms = UINT64_MAX;

	if (MHD_get_timeout(m->daemon, &timeout) == MHD_YES)
		ms = timeout;
	if (m->accept_at_ms && m->accept_at_ms - m->sw->now_ms < ms)
		ms = m->accept_at_ms - m->sw->now_ms;
	return ms;
}

/*
 * What has been read from a client, or can be written to it, is known to the
 * daemon and no longer to its descriptor: then our own has to say that there is
 * more to do, after everybody else's turn.
 */
static void arm_timer(struct metrics *m)
{
	uint64_t ms = pause_ms(m);
	struct itimerspec after = { 0 };

	if (ms != UINT64_MAX) {
		after.it_value.tv_sec = (time_t)(ms / 1000);
		after.it_value.tv_nsec = ms ? (long)(ms % 1000 * 1000000) : 1;
	}
	timerfd_settime(m->timer_fd, 0, &after, NULL);
}

void metrics_run(struct sw *sw)
{
	struct metrics *m = sw->metrics;

	if (!m)
		return;
	accept_clients(m);
	MHD_run(m->daemon);
	arm_timer(m);
}
