"""Media, sans-IO: RTP, SRTP, DTMF, G.711, WAV. Drivers are in media.aio."""
