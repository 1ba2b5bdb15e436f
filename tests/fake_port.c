#include "fake_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/ether.h"
#include "../switch/kept.h"
#include "../switch/port_name.h"
#include "../switch/port_slow.h"

enum { BUFFER_BYTES = 2048, MARK_AT = ETHER_HEADER_BYTES };

/* The ports' index is kept in fd; the net in the sw argument. */
static struct fake_net *fake_net_of(struct sw *sw)
{
	return (struct fake_net *)(void *)sw;
}

static struct fake *fake_of(struct sw *sw, const struct port *p)
{
	return &fake_net_of(sw)->fakes[p->fd];
}

static int fake_send(struct sw *sw, struct port *p, struct frame *const *frames,
		     unsigned n)
{
	struct fake *fake = fake_of(sw, p);
	unsigned taken = n < fake->room ? n : fake->room;
	const struct kept *kept = fake_net_of(sw)->ports.kept;

	if (kept)
		fake->blamed = *kept->blame;
	if (fake->error)
		return fake->error;
	if (p->unfinished && fake->room)
		p->unfinished = false;
	for (unsigned i = 0; i < taken; i++)
		memcpy(&fake->marks[fake->taken++ % FAKE_TAKEN_MAX],
		       frames[i]->data + MARK_AT, sizeof(uint32_t));
	fake->room -= taken;
	if (fake->splits && taken && !fake->room)
		p->unfinished = true;
	return taken || !n ? (int)taken : -EAGAIN;
}

static void fake_wait_writable(struct sw *sw, struct port *p)
{
	fake_of(sw, p)->waits++;
}

static void fake_release(struct port *p)
{
	(void)p;
}

static const struct port_ops fake_ops = {
	.kind = "fake",
	.batch = SEND_BATCH,
	.send = fake_send,
	.wait_writable = fake_wait_writable,
	.release = fake_release,
};

void fake_add_named(struct fake_net *net, unsigned at, const char *name,
		    unsigned number)
{
	struct port *p = port_new(&net->ports, &fake_ops, net->queue,
				  net->now_ms);

	p->fd = (int)at;
	p->frame_max = BUFFER_BYTES;
	p->pool = pool_new(PORT_BUFFERS, BUFFER_BYTES);
	p->pool->owner = p->id;
	port_name_give(&net->ports, p, name, number);
	port_up(&net->ports, p);
	net->fakes[at] = (struct fake){ .port = p, .room = UINT32_MAX };
}

void fake_add(struct fake_net *net, unsigned at)
{
	fake_add_named(net, at, NULL, 0);
}

void fake_net_init(struct fake_net *net, unsigned count)
{
	static const uint8_t key[16] = "not so secret..";

	memset(net, 0, sizeof(*net));
	ports_init(&net->ports);
	net->forward.ports = &net->ports;
	net->forward.macs = mac_new(256, PORTS_MAX, 300, key);
	net->now_ms = 1000000;
	for (unsigned i = 0; i < count; i++)
		fake_add(net, i);
}

void fake_close(struct fake_net *net, unsigned at)
{
	struct port *p = net->fakes[at].port;

	mac_flush_port(net->forward.macs, p->id);
	port_detach(&net->ports, p);
	port_free(&net->ports, p);
	net->fakes[at].port = NULL;
}

void fake_net_fini(struct fake_net *net)
{
	for (unsigned i = 0; i < FAKE_PORTS; i++)
		if (net->fakes[i].port)
			fake_close(net, i);
	mac_free(net->forward.macs);
	ports_fini(&net->ports);
}

static void put_address(uint8_t *at, uint64_t addr)
{
	for (int i = 0; i < ETHER_ADDR_BYTES; i++)
		at[i] = (uint8_t)(addr >> 8 * i);
}

/* The lowest buffer that no frame holds. */
static int free_buffer(const struct pool *pool)
{
	for (uint16_t i = 0; i < pool->count; i++)
		if (!pool->frames[i].refs)
			return i;
	return -ENOBUFS;
}

int fake_receive(struct fake_net *net, unsigned from, uint64_t dst,
		 uint64_t src, uint32_t len, uint32_t mark)
{
	struct port *p = net->fakes[from].port;
	int buffer = free_buffer(p->pool);
	struct frame *f;

	if (buffer < 0) {
		port_starve(&net->ports, p, net->now_ms);
		return buffer;
	}
	f = pool_take(p->pool, (uint16_t)buffer, len);
	memset(f->data, 0, MARK_AT);
	put_address(f->data, dst);
	put_address(f->data + ETHER_ADDR_BYTES, src);
	memcpy(f->data + MARK_AT, &mark, sizeof(mark));
	forward_frame(&net->forward, p, f, (uint32_t)(net->now_ms / 1000));
	frame_unref(f);
	return 0;
}

void fake_flush(struct fake_net *net)
{
	ports_flush(&net->ports, (struct sw *)(void *)net, net->now_ms);
}

void fake_writable(struct fake_net *net, unsigned at, unsigned room)
{
	net->fakes[at].room += room;
	port_writable(&net->ports, net->fakes[at].port);
	fake_flush(net);
}
