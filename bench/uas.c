/* The ceiling for bench/sip.py: a user agent server in C that does what a datagram needs and nothing else.
 *
 * One socket, one thread, no transactions, no timers, no media: each INVITE is answered with 100, 180 and 200, each BYE with
 * 200, from the header lines that a response copies. It prints its port, and ends when its standard input does.
 *
 *     cc -O2 -o uas uas.c && ./uas 127.0.0.1
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MOST = 65536, HEADERS = 5 };
static const char *const copied[HEADERS] = {"Via:", "From:", "To:", "Call-ID:", "CSeq:"};
static char in[MOST], out[MOST];
static int fd;

/* A response: the first line, the copied headers (To with a tag if it had none), then `tail`. */
static void respond(const char *status, const char *tail, struct sockaddr_in *to)
{
    size_t at = (size_t)sprintf(out, "SIP/2.0 %s\r\n", status);
    for (char *line = strstr(in, "\r\n"); line && strncmp(line, "\r\n\r\n", 4); line = strstr(line + 2, "\r\n")) {
        char *begin = line + 2, *end = strstr(begin, "\r\n");
        for (int i = 0; end && i < HEADERS; i++)
            if (!strncasecmp(begin, copied[i], strlen(copied[i]))) {
                size_t length = (size_t)(end - begin);
                memcpy(out + at, begin, length);
                at += length;
                if (i == 2 && !memmem(begin, length, ";tag=", 5)) at += (size_t)sprintf(out + at, ";tag=c");
                at += (size_t)sprintf(out + at, "\r\n");
            }
    }
    at += (size_t)sprintf(out + at, "%s", tail);
    sendto(fd, out, at, 0, (struct sockaddr *)to, sizeof *to);
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET}, peer;
    socklen_t size = sizeof here;
    char answer[512];
    const char *host = argc > 1 ? argv[1] : "127.0.0.1", *none = "Content-Length: 0\r\n\r\n";
    const char *sdp = "v=0\r\no=c 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    int bytes = 1 << 21;
    inet_pton(AF_INET, host, &here.sin_addr);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) || getsockname(fd, (struct sockaddr *)&here, &size)) return 1;
    snprintf(answer, sizeof answer, "Contact: <sip:%s:%d>\r\nContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
             host, ntohs(here.sin_port), strlen(sdp), sdp);
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    for (struct pollfd ready[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}}; poll(ready, 2, -1) > 0;) {
        if (ready[1].revents) return 0;
        size = sizeof peer;
        ssize_t got = recvfrom(fd, in, sizeof in - 1, 0, (struct sockaddr *)&peer, &size);
        if (got <= 0) continue;
        in[got] = 0;
        if (!strncmp(in, "INVITE ", 7)) {
            respond("100 Trying", none, &peer);
            respond("180 Ringing", none, &peer);
            respond("200 OK", answer, &peer);
        } else if (!strncmp(in, "BYE ", 4)) {
            respond("200 OK", none, &peer);
        }
    }
    return 0;
}
