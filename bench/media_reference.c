/* The ceiling that bench/media.py prints a share of: what a media worker does, in C, without SIP, SRTP, loss or keys.
 *
 * A socket for each call, one epoll loop, a wheel of 20 slots of 1 ms. Each call is connected to whoever sends first,
 * hears the prompt again and again, and its sound goes to a file, as 16-bit linear samples, once a second.
 *
 *     media_reference CALLS SECONDS FOLDER
 *
 * Prints the ports, with commas, and at the end the packets that were received and sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 20, SECOND = 1000, FRAME = 160, HEADER = 12, PROMPT = 500, HELD = 100 };

struct call {
    int socket, file, connected, frame;
    uint16_t sequence, expected;
    uint32_t timestamp, ssrc;
    int samples;
    int16_t sound[HELD * FRAME];
};

static uint8_t prompt[PROMPT][FRAME];
static int16_t linear[256];
static long received, sent;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void hear(struct call *c) {
    uint8_t data[2048];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = c->connected ? recv(c->socket, data, sizeof data, 0)
                             : recvfrom(c->socket, data, sizeof data, 0, (struct sockaddr *)&from, &size);
    if (n < HEADER || data[0] != 0x80) return;
    if (!c->connected) c->connected = connect(c->socket, (struct sockaddr *)&from, sizeof from) == 0;
    c->expected = (uint16_t)((data[2] << 8 | data[3]) + 1);
    received++;
    for (ssize_t i = HEADER; i < n && c->samples < HELD * FRAME; i++) c->sound[c->samples++] = linear[data[i]];
}

static void say(struct call *c) {
    uint8_t data[HEADER + FRAME] = {0x80, 0};
    uint16_t sequence = htons(c->sequence++);
    uint32_t timestamp = htonl(c->timestamp), ssrc = htonl(c->ssrc);
    memcpy(data + 2, &sequence, 2);
    memcpy(data + 4, &timestamp, 4);
    memcpy(data + 8, &ssrc, 4);
    memcpy(data + HEADER, prompt[c->frame], FRAME);
    c->timestamp += FRAME;
    c->frame = (c->frame + 1) % PROMPT;
    if (send(c->socket, data, sizeof data, 0) > 0) sent++;
}

static void keep(struct call *c) {
    if (c->samples && write(c->file, c->sound, (size_t)c->samples * 2) < 0) perror("write");
    c->samples = 0;
}

static struct call *open_call(int poll, int index, const char *folder) {
    struct call *c = calloc(1, sizeof *c);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    char path[512];
    snprintf(path, sizeof path, "%s/%d.pcm", folder, index);
    c->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    c->file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    c->ssrc = (uint32_t)index;
    if (c->socket < 0 || c->file < 0 || bind(c->socket, (struct sockaddr *)&here, sizeof here)) exit(1);
    getsockname(c->socket, (struct sockaddr *)&here, &size);
    printf("%s%d", index ? "," : "", ntohs(here.sin_port));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll, EPOLL_CTL_ADD, c->socket, &event);
    return c;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int calls = atoi(argv[1]), slot = 0, poll = epoll_create1(0);
    double ends = now() + atof(argv[2]);
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    for (int i = 0; i < 256; i++) {
        int code = ~i & 0xFF, level = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4);
        linear[i] = (int16_t)(code & 0x80 ? 0x84 - level : level - 0x84);
    }
    for (int i = 0; i < PROMPT; i++) memset(prompt[i], i % 100 + 1, FRAME);
    struct call **all = calloc((size_t)calls, sizeof *all);
    for (int i = 0; i < calls; i++) all[i] = open_call(poll, i, argv[3]);
    printf("\n");
    fflush(stdout);
    struct epoll_event events[256];
    for (double due = now(); due < ends;) {
        double left = due - now();
        int n = epoll_wait(poll, events, 256, left > 0 ? (int)(left * 1000) + 1 : 0);
        for (int i = 0; i < n; i++) hear(events[i].data.ptr);
        for (; due <= now(); due += 0.001, slot = (slot + 1) % SECOND) {
            for (int i = slot % SLOTS; i < calls; i += SLOTS)
                if (all[i]->connected) say(all[i]);
            for (int i = slot; i < calls; i += SECOND) keep(all[i]);
        }
    }
    for (int i = 0; i < calls; i++) keep(all[i]);
    printf("%ld %ld\n", received, sent);
    return 0;
}
